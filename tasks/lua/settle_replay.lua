-- Counts how replayed tasks have ended, each once.
-- ARGV: id, step, then of each: task, outcome
-- Returns how many were counted.

local id, step = ARGV[1], ARGV[2]
local name, going = key.replay(id), key.replay_going(id)
local counted = 0
if redis.call('HGET', name, 'state') ~= 'running' then return 0 end
for i = 3, #ARGV, 2 do
  if redis.call('ZREM', going, ARGV[i]) == 1 then
    redis.call('HINCRBY', name, ARGV[i + 1] .. ':' .. step, 1)
    counted = counted + 1
  end
end
return counted
