-- Ends a parent's run without ending the parent: its children begin, and it goes on when the last one has ended.
-- ARGV: id, run, worker, lane, allowed states, on_error ('abort': a failed child cancels what hasn't begun) or '',
--       how many children may run at a time ('': as many as there is room for), then as of `succeed`
-- Returns as `succeed`.

local id, run, worker, lane, states, on_error, max_parallel = unpack(ARGV, 1, 7)
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return ended('lost', ARGV, 8)
end
settle(task, worker)
unset(task, 'requeued')
set(task, 'awaiting', '1')
set(task, 'on_error', on_error)
set(task, 'max_parallel', max_parallel)
if on_error == 'abort' and numbers(key.task(id), 'kids_failed') > 0 then set(task, 'aborted', '1') end
save(task)
if task.paused == '' then draw_child(id) end
tell_parent(id)
return ended('done', ARGV, 8)
