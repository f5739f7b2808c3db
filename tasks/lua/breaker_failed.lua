-- A call of a dependency failed. So many in a row open its breaker; a failed probe keeps it open for another while.
-- ARGV: name, token of the call, failures that open it, for how long in ms, the error's type, TTL in ms,
--       breakers at most, openings at most
-- Returns the ms until the dependency is worth asking again; 0 where its breaker is closed.

local name, token, most, cooldown, problem, ttl, breakers, openings = unpack(ARGV)
local breaker = key.breaker(name)
local known = redis.call('HMGET', breaker, 'until', 'probe')
if known[1] and known[2] ~= token then
  -- It began before the breaker opened, and tells nothing new.
  return math.max(tonumber(known[1]) - now(), 1)
end

local failures = redis.call('HINCRBY', breaker, 'failures', 1)
redis.call('HSET', breaker, 'error', problem)
local is_open = known[1] or failures >= tonumber(most)
if is_open then
  redis.call('HSET', breaker, 'until', whole(now() + tonumber(cooldown)))
  redis.call('HDEL', breaker, 'probe', 'probe_until')
end
if is_open and not known[1] then
  redis.call('HSET', breaker, 'opened', whole(now()))
  redis.call('XADD', key.breaker_openings(), 'MAXLEN', '~', openings, '*', 'name', name, 'error', problem)
end
redis.call('PEXPIRE', breaker, ttl)
redis.call('ZADD', key.breakers(), now(), name)
for _, old in ipairs(redis.call('ZRANGE', key.breakers(), 0, -1 - tonumber(breakers))) do
  redis.call('DEL', key.breaker(old))
  redis.call('ZREM', key.breakers(), old)
end
return is_open and tonumber(cooldown) or 0
