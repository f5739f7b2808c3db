-- Takes a waiting task out, or asks the worker of a running one to stop it.
-- ARGV: id, tenant ('*': any), allowed states, retention in ms, versions that the caller has seen ('' for no
--       condition), idempotency digest or '', fingerprint of the request, idempotency TTL in ms, audit line or ''
-- Returns {'cancelled'}; {'cancelling'} where a worker has to be heard first; {'replayed', one of these} where the
--         idempotency key had been used with the same request; {'mismatch'} with another one; {'refused', status};
--         {'changed'} where the record is of none of these versions; {'gone'}.

local id, tenant, states, retention, seen, digest, fingerprint, ttl, line = unpack(ARGV, 1, 9)
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
local hindered = hindrance(task, states, seen, digest, fingerprint)
if hindered then
  note(task.tenant, line, hindered[1], id)
  return hindered
end

if task.status == 'running' and task.awaiting == '' then
  set(task, 'cancel', '1')
  save(task)
  note(task.tenant, line, 'cancelling', id)
  redis.call('PUBLISH', key.control(), 'cancel ' .. id .. ' ' .. task.run)
  remember_answer(task.tenant, digest, fingerprint, 'cancelling', ttl)
  return {'cancelling'}
end

local was_held = task.parent ~= '' and redis.call('LREM', key.held(task.parent), 1, id) == 1
if not was_held then withdraw(task) end
cancelled(task, tonumber(retention))
note(task.tenant, line, 'cancelled', id)
remember_answer(task.tenant, digest, fingerprint, 'cancelled', ttl)
return {'cancelled'}
