-- Gives back a run that its worker will not end, because it stops: to the head of its lane, and it costs no attempt.
-- ARGV: id, run, worker, lane, allowed states, retention in ms
-- Returns {'done'}; {'lost'} where the run was superseded.

local id, run, worker, lane, states, retention = unpack(ARGV)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return {'lost'}
end
settle(task, worker)
recover(task, 'shutdown', tonumber(retention))
return {'done'}
