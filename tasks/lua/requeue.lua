-- A failed or cancelled task runs again under its own id, with a fresh set of attempts.
-- ARGV: id, tenant ('*': any), allowed states, then as of `cancel` from the versions on, then
--       held ('1': a child that its parent runs again: it waits for its turn)
-- Returns {'queued'}, or what hinders it, as `cancel` does.

local id, tenant, states, seen, digest, fingerprint, ttl, line = unpack(ARGV, 1, 8)
local is_held = ARGV[9] == '1'
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
local hindered = hindrance(task, states, seen, digest, fingerprint)
if hindered then
  note(task.tenant, line, hindered[1], id)
  return hindered
end

unbury(task)
redis.call('PERSIST', key.task(id))
redis.call('ZREM', key.expiring(), id)
for _, of_parent in ipairs({key.children(id), key.held(id), key.ended(id)}) do redis.call('PERSIST', of_parent) end
unset(task, 'error', 'finished', 'started', 'attempt', 'retries', 'crashes', 'worker', 'cancel', 'progress',
  'progress_message', 'progress_seq', 'result', 'result_place', 'aborted', 'on_error', 'awaiting', 'alone')
if task.kids_total ~= '' then set(task, 'requeued', '1') end
if task.parent ~= '' and not is_held then set(task, 'alone', '1') end
set(task, 'queued', whole(now()))
lower(task)
if is_held then redis.call('RPUSH', key.held(task.parent), id) end
move(task, 'queued')
if not is_held then push(task) end
tell(task, 'queued', '{"requeued":true}')
save(task)
note(task.tenant, line, 'queued', id)
remember_answer(task.tenant, digest, fingerprint, 'queued', ttl)
return {'queued'}
