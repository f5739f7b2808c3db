-- Ends a parent's run without ending the parent: it goes on when its last child has ended.
-- ARGV: id, run, worker, lane, allowed states, on_error ('abort': a failed child cancels what hasn't begun) or '',
--       how many children may be in their lane or running at a time, then as of `succeed`
-- Returns as `succeed`.

local id, run, worker, lane, states, on_error, in_lane = unpack(ARGV, 1, 7)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return ended('lost', ARGV, 8)
end
settle(task, worker)
-- The children that were to draw the held ones after them may have ended before these were queued.
local function draw_held_children()
  local total, good, bad, gone =
    numbers(key.task(id), 'kids_total', 'kids_succeeded', 'kids_failed', 'kids_cancelled')
  local under_way = total - good - bad - gone - redis.call('LLEN', key.held(id))
  while under_way < tonumber(in_lane) and queue_next_held_child(id) do under_way = under_way + 1 end
end

draw_held_children()
unset(task, 'requeued')
set(task, 'awaiting', '1')
set(task, 'on_error', on_error)
if on_error == 'abort' and numbers(key.task(id), 'kids_failed') > 0 then set(task, 'aborted', '1') end
tell_parent(task)
save(task)
return ended('done', ARGV, 8)
