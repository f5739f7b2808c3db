-- Ends a task for good: a dead letter.
-- ARGV: id, run, worker, lane, allowed states, error (JSON), retention in ms, then as of `succeed`
-- Returns as `succeed`.

local id, run, worker, lane, states, problem, retention = unpack(ARGV, 1, 7)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return ended(ended_before(task, run, worker, 'failed'), ARGV, 8)
end

settle(task, worker)
if task.cancel == '1' then cancelled(task, tonumber(retention)) else failed(task, problem, tonumber(retention)) end
return ended('done', ARGV, 8)
