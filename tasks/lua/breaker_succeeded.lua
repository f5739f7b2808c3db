-- A call of a dependency succeeded: what failed before is no row any more, and a probe closes the breaker.
-- ARGV: name, token of the call
-- Returns 1 where that closed an open breaker.

local breaker = key.breaker(ARGV[1])
local known = redis.call('HMGET', breaker, 'failures', 'until', 'probe')
-- What began before the breaker opened tells nothing of how the dependency is now.
if not known[1] or (known[2] and known[3] ~= ARGV[2]) then return 0 end
redis.call('HDEL', breaker, 'failures', 'until', 'probe', 'probe_until')
return known[2] and 1 or 0
