-- Lets a paused batch go on: its next child comes into the lane.
-- ARGV: as of `pause_batch`
-- Returns {'resumed'}; {'unchanged'} where it was not paused; else as `pause_batch` does.

local task, answer = batch_to_steer(ARGV)
if not answer then
  if task.paused == '' then
    answer = {'unchanged'}
  else
    unset(task, 'paused')
    tell_of_pause(task)
    if task.awaiting == '1' then draw_child(task.id) end
    answer = {'resumed'}
  end
end
if task then note(task.tenant, ARGV[7], answer[1], task.id) end
return answer
