-- Ends a run well, and acks it.
-- ARGV: id, run, worker, lane, allowed states, retention in ms, result (sealed) or '', place of a large result or '',
--       what is counted of it besides or '', '1' where it was slow for its type,
--       then, where the worker wants more, the arguments of `fetch`
-- Returns {'done', run begun, ...}; {'lost', ...} where the run was superseded (then only the worker's hold is given up).

local id, run, worker, lane, states, retention, result, place, tally, slow = unpack(ARGV, 1, 10)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return ended(ended_before(task, run, worker, 'succeeded'), ARGV, 11)
end

-- The case keeps the latest result of each kind longer than the task itself is kept.
local function keep_for_case()
  local case = key.case(task.tenant, task.case)
  if task.case == '' or (result == '' and place == '') or redis.call('EXISTS', case) == 0 then return end
  local latest = cjson.encode({task_id = id, at = now()}) .. '\n' .. result
  redis.call('HSET', case, 'latest:' .. string.match(task.name, '^[^.]*'), latest)
end

if task.retries > 0 then unset(task, 'result', 'result_place') end
if result ~= '' then set(task, 'result', result) end
if place ~= '' then set(task, 'result_place', place) end
unset(task, 'error')
finish(task, 'succeeded', tonumber(retention))
if tally ~= '' then count(task, tally) end
if slow ~= '' then note_slow(task) end
settle(task, worker)
local large = place ~= '' and ',"large":true' or ''
tell(task, 'succeeded', '{"attempt":' .. (task.retries + 1) .. ',"run":' .. task.run .. large .. '}')
save(task)
keep_for_case()
return ended('done', ARGV, 11)
