-- A failed or cancelled task runs again under its own id, with a fresh set of attempts.
-- ARGV: id, tenant ('*': any), allowed states
-- Returns {'queued'}; {'refused', status}; {'gone'}.

local id, tenant, states = ARGV[1], ARGV[2], ARGV[3]
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
if not allowed(task, states) then return {'refused', task.status} end

local task_key = key.task(id)
unbury(task)
redis.call('PERSIST', task_key)
redis.call('ZREM', key.expiring(), id)
for _, of_parent in ipairs({key.children(id), key.held(id)}) do redis.call('PERSIST', of_parent) end
redis.call('HDEL', task_key, 'error', 'finished', 'started', 'attempt', 'retries', 'crashes', 'worker', 'cancel',
  'progress', 'progress_message', 'progress_seq')
redis.call('HSET', task_key, 'queued', whole(NOW))
task.retries = 0
move(task, 'queued')
push(task)
tell(task, 'queued', '{"requeued":true}')
return {'queued'}
