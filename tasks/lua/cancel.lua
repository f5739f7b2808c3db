-- Takes a waiting task out, or asks the worker of a running one to stop it.
-- ARGV: id, tenant ('*': any), allowed states, retention in ms
-- Returns {'cancelled'}; {'cancelling'} where a worker has to be heard first; {'refused', status}; {'gone'}.

local id, tenant, states, retention = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
if not allowed(task, states) then return {'refused', task.status} end

if task.status == 'running' and task.awaiting == '' then
  set(task, 'cancel', '1')
  save(task)
  redis.call('PUBLISH', key.control(), 'cancel ' .. id .. ' ' .. task.run)
  return {'cancelling'}
end

local was_held = task.parent ~= '' and redis.call('LREM', key.held(task.parent), 1, id) == 1
if not was_held then withdraw(task) end
cancelled(task, retention)
return {'cancelled'}
