-- Says that the slots of a schedule have been seen to, up to one; what was seen never moves back.
-- ARGV: name, line and zone, ms of the slot, id of the task that came or '', how many slots passed and were not done
-- Returns 1, or 0 where another scheduler was first.

local schedule = key.schedule(ARGV[1])
local spec, slot = unpack(redis.call('HMGET', schedule, 'spec', 'slot'))
if spec == ARGV[2] and tonumber(slot or '-1') >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', schedule, 'spec', ARGV[2], 'slot', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', schedule, 'task_id', ARGV[4], 'at', whole(now())) end
if tonumber(ARGV[5]) > 0 then redis.call('HINCRBY', schedule, 'missed', ARGV[5]) end
return 1
