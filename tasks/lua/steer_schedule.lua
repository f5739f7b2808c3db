-- Pauses or resumes a schedule, or says that it was run by hand, which makes up for what it missed. What passed while it
-- was paused is not caught up with.
-- ARGV: what to do ('pause', 'resume' or 'ran'), name, id of the task that ran or '', who does it, tenant, audit line
-- Returns 1, or 0 where it changed nothing.

local wish, schedule = ARGV[1], key.schedule(ARGV[2])
local changed, outcome = 1, 'queued'
if wish == 'pause' then
  changed, outcome = redis.call('HSETNX', schedule, 'paused', cjson.encode({by = ARGV[4], at = now()})), 'paused'
elseif wish == 'resume' then
  changed, outcome = redis.call('HDEL', schedule, 'paused'), 'resumed'
  local slot = redis.call('HGET', schedule, 'slot')
  if changed == 1 and slot then redis.call('HSET', schedule, 'slot', whole(math.max(tonumber(slot), now()))) end
else
  redis.call('HSET', schedule, 'task_id', ARGV[3], 'at', whole(now()))
  redis.call('HDEL', schedule, 'missed', 'missed_at')
end
note(ARGV[5], ARGV[6], changed == 1 and outcome or 'unchanged', ARGV[2])
return changed
