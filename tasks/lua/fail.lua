-- Ends a task for good: a dead letter.
-- ARGV: id, run, worker, lane, allowed states, error (JSON), retention in ms
-- Returns 'done'; 'lost' where the run was superseded.

local id, run, worker, lane, states, problem, retention = unpack(ARGV)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return (task and task.status == 'failed' and task.run == tonumber(run) and task.worker == worker) and 'done' or 'lost'
end

settle(task, worker)
if task.cancel == '1' then cancelled(task, tonumber(retention)) else failed(task, problem, tonumber(retention)) end
return 'done'
