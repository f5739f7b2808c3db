-- Ends a task for good: a dead letter.
-- ARGV: id, run, worker, lane, allowed states, error (JSON), retention in ms, what it achieved nevertheless (JSON) or '',
--       place of that where it is large or '', '1' where it was slow for its type, then as of `succeed`
-- Returns as `succeed`.

local id, run, worker, lane, states, problem, retention, result, place, slow = unpack(ARGV, 1, 10)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return ended(ended_before(task, run, worker, 'failed'), ARGV, 11)
end

settle(task, worker)
if task.cancel == '1' then
  cancelled(task, tonumber(retention))
  return ended('done', ARGV, 11)
end
keep_achieved(task, result, place)
failed(task, problem, tonumber(retention))
if slow ~= '' then note_slow(task) end
return ended('done', ARGV, 11)
