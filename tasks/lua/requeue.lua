-- A failed or cancelled task runs again under its own id, with a fresh set of attempts.
-- ARGV: id, tenant ('*': any), allowed states, audit line or ''
-- Returns {'queued'}; {'refused', status}; {'gone'}.

local id, tenant, states = ARGV[1], ARGV[2], ARGV[3]
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
if not allowed(task, states) then
  note(task.tenant, ARGV[4], 'refused', id)
  return {'refused', task.status}
end

unbury(task)
redis.call('PERSIST', key.task(id))
redis.call('ZREM', key.expiring(), id)
for _, of_parent in ipairs({key.children(id), key.held(id)}) do redis.call('PERSIST', of_parent) end
unset(task, 'error', 'finished', 'started', 'attempt', 'retries', 'crashes', 'worker', 'cancel', 'progress',
  'progress_message', 'progress_seq', 'result', 'result_place', 'aborted', 'on_error', 'awaiting')
if task.kids_total ~= '' then set(task, 'requeued', '1') end
set(task, 'queued', whole(now()))
lower(task)
move(task, 'queued')
push(task)
tell(task, 'queued', '{"requeued":true}')
save(task)
note(task.tenant, ARGV[4], 'queued', id)
return {'queued'}
