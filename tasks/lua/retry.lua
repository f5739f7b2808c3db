-- Ends a run that failed and will be repeated: the record, the wait and the ack in one step.
-- ARGV: id, run, worker, lane, allowed states, delay in ms, error (JSON), retention in ms,
--       counted ('1' uses up a retry; '' is a wait that was nobody's failure)
-- Returns 'done'; 'lost' where the run was superseded.

local id, run, worker, lane, states, wait, problem, retention, counted = unpack(ARGV)
local task = load(id)
if not holds(task, run, states) then
  redis.call('SREM', key.acks(worker, lane), id)
  return 'lost'
end

settle(task, worker)
if task.cancel == '1' then
  finish(task, 'cancelled', tonumber(retention))
  tell(task, 'cancelled', attempt_json(task))
  return 'done'
end

local task_key, due = key.task(id), NOW + tonumber(wait)
local attempt = task.retries + 1
if problem ~= '' then redis.call('HSET', task_key, 'error', problem) end
if counted == '1' then redis.call('HINCRBY', task_key, 'retries', 1) end
redis.call('HSET', task_key, 'eta', whole(due))
move(task, 'retrying')
delay(task, due)
count(task, 'retried')
tell(task, 'retrying', cjson.encode({attempt = attempt, run = task.run, eta = due,
  progress = task.progress}), problem)
return 'done'
