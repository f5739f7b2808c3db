-- Ends a parent's run without ending the parent: it goes on when its last child has ended.
-- ARGV: id, run, worker, lane, allowed states, on_error ('abort': a failed child cancels what hasn't begun) or ''
-- Returns 'done'; 'lost' where the run was superseded.

local id, run, worker, lane, states, on_error = unpack(ARGV)
local task = load(id)
if not holds(task, run, states) then
  redis.call('SREM', key.acks(worker, lane), id)
  return 'lost'
end
settle(task, worker)
set(task, 'awaiting', '1')
set(task, 'on_error', on_error)
if on_error == 'abort' and numbers(key.task(id), 'kids_failed') > 0 then set(task, 'aborted', '1') end
tell_parent(task)
save(task)
return 'done'
