-- Ends a run that was interrupted because its end was wished for, and acks it.
-- ARGV: id, run, worker, lane, allowed states, retention in ms
-- Returns 'done'; 'lost' where the run was superseded.

local id, run, worker, lane, states, retention = unpack(ARGV)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return (task and task.status == 'cancelled' and task.run == tonumber(run) and task.worker == worker) and 'done' or 'lost'
end
settle(task, worker)
cancelled(task, tonumber(retention))
return 'done'
