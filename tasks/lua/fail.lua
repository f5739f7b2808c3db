-- Ends a task for good: a dead letter.
-- ARGV: id, run, worker, lane, allowed states, error (JSON), retention in ms
-- Returns 'done'; 'lost' where the run was superseded.

local id, run, worker, lane, states, problem, retention = unpack(ARGV)
local task = load(id)
if not holds(task, run, states) then
  redis.call('SREM', key.acks(worker, lane), id)
  return (task and task.status == 'failed' and task.run == tonumber(run)) and 'done' or 'lost'
end

settle(task, worker)
if task.cancel == '1' then
  finish(task, 'cancelled', tonumber(retention))
  tell(task, 'cancelled', attempt_json(task))
  return 'done'
end
redis.call('HSET', key.task(id), 'error', problem)
finish(task, 'failed', tonumber(retention))
bury(task)
tell(task, 'failed', attempt_json(task), problem)
return 'done'
