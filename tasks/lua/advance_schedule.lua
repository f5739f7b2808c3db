-- Says that the slots of a schedule have been seen to, up to one; what was seen never moves back.
-- ARGV: name, line and zone, ms of the slot, id of the task that came or '', how many slots passed and were not done,
--       ms for which those before are still counted
-- Returns 1, or 0 where another scheduler was first.

local schedule = key.schedule(ARGV[1])
local spec, slot = unpack(redis.call('HMGET', schedule, 'spec', 'slot'))
if spec == ARGV[2] and tonumber(slot or '-1') >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', schedule, 'spec', ARGV[2], 'slot', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', schedule, 'task_id', ARGV[4], 'at', whole(now())) end
if tonumber(ARGV[5]) > 0 then
  local before = tonumber(redis.call('HGET', schedule, 'missed_at') or '0')
  if now() - before > tonumber(ARGV[6]) then redis.call('HDEL', schedule, 'missed') end
  redis.call('HINCRBY', schedule, 'missed', ARGV[5])
  redis.call('HSET', schedule, 'missed_at', whole(now()))
end
return 1
