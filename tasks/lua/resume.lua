-- Lets a paused queue go on, and wakes idle workers.
-- ARGV: queue, tenant of who does, audit line or ''
-- Returns 1, or 0 where it was not paused.

local resumed = redis.call('HDEL', key.paused(), ARGV[1])
redis.call('PUBLISH', key.bell(), ARGV[1])
note(ARGV[2], ARGV[3], resumed == 1 and 'resumed' or 'unchanged', ARGV[1])
return resumed
