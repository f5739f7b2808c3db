-- Ends a task that no run was begun for, because this worker has no actor for it: a dead letter.
-- ARGV: id, run that the ticket is for, worker, lane, allowed states, error (JSON), retention in ms
-- Returns 'done'; 'lost' where the ticket is good no longer.

local id, run, worker, lane, states, problem, retention = unpack(ARGV)
local task = load(id)
if redis.call('SREM', key.acks(worker, lane), id) == 0 then return 'lost' end
if not task or task.run + 1 ~= tonumber(run) or not allowed(task, states) then return 'lost' end
settle(task, worker)
failed(task, problem, tonumber(retention))
return 'done'
