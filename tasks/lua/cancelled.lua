-- Ends a run that was interrupted because its end was wished for, and acks it.
-- ARGV: id, run, worker, lane, allowed states, retention in ms, then as of `succeed`
-- Returns as `succeed`.

local id, run, worker, lane, states, retention = unpack(ARGV, 1, 6)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return ended(ended_before(task, run, worker, 'cancelled'), ARGV, 7)
end
settle(task, worker)
cancelled(task, tonumber(retention))
return ended('done', ARGV, 7)
