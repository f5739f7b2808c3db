-- Ends a run well, and acks it.
-- ARGV: id, run, worker, lane, allowed states, retention in ms, result (JSON) or '', place of a large result or ''
-- Returns 'done'; 'lost' where the run was superseded (then only the worker's hold is given up).

local id, run, worker, lane, states, retention, result, place = unpack(ARGV)
local task = load(id)
if not holds(task, run, states) then
  redis.call('SREM', key.acks(worker, lane), id)
  return (task and task.status == 'succeeded' and task.run == tonumber(run)) and 'done' or 'lost'
end

local task_key = key.task(id)
if result ~= '' then redis.call('HSET', task_key, 'result', result) end
if place ~= '' then redis.call('HSET', task_key, 'result_place', place) end
redis.call('HDEL', task_key, 'error')
finish(task, 'succeeded', tonumber(retention))
settle(task, worker)
tell(task, 'succeeded', attempt_json(task), result)

-- The case keeps the latest result of each kind longer than the task itself is kept.
local case = key.case(task.tenant, task.case)
if task.case ~= '' and (result ~= '' or place ~= '') and redis.call('EXISTS', case) == 1 then
  redis.call('HSET', case, 'latest:' .. string.match(task.name, '^[^.]*'),
    cjson.encode({task_id = id, at = NOW}) .. '\n' .. result)
end
return 'done'
