-- Takes a waiting task out, or asks the worker of a running one to stop it.
-- ARGV: id, tenant ('*': any), allowed states, retention in ms, audit line or ''
-- Returns {'cancelled'}; {'cancelling'} where a worker has to be heard first; {'refused', status}; {'gone'}.

local id, tenant, states, retention = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
local line = ARGV[5]
if not allowed(task, states) then
  note(task.tenant, line, 'refused', id)
  return {'refused', task.status}
end

if task.status == 'running' and task.awaiting == '' then
  set(task, 'cancel', '1')
  save(task)
  note(task.tenant, line, 'cancelling', id)
  redis.call('PUBLISH', key.control(), 'cancel ' .. id .. ' ' .. task.run)
  return {'cancelling'}
end

undelay(task)
redis.call('LREM', key.lane(task.lane), 1, id)
redis.call('HDEL', key.messages(task.lane), id)
cancelled(task, retention)
note(task.tenant, line, 'cancelled', id)
return {'cancelled'}
