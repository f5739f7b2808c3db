-- Pauses one batch: what runs of it goes on, and none of its children begins until it is resumed. One that is paused
-- stays as it is. A batch that hasn't begun yet queues its children, and holds them all.
-- ARGV: id, tenant ('*': any), allowed states, name of a batch's task type, versions that the caller has seen ('' for
--       no condition), who pauses it, audit line or ''
-- Returns {'paused'}; {'unchanged'} where it was paused already; {'other', name} where it is no batch; {'gone'},
--         {'refused', status} and {'changed'} as `cancel` does.

local task, answer = batch_to_steer(ARGV)
if not answer then
  if task.paused ~= '' then
    answer = {'unchanged'}
  else
    set(task, 'paused', cjson.encode({by = ARGV[6], at = now()}))
    tell_of_pause(task)
    answer = {'paused'}
  end
end
if task then note(task.tenant, ARGV[7], answer[1], task.id) end
return answer
