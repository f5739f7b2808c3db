-- Stops a queue: workers finish what they have begun and take nothing more of it. One that is paused stays as it is.
-- ARGV: queue, who pauses it, tenant of who does, audit line or ''
-- Returns 1, or 0 where it was paused already.

local paused = redis.call('HSETNX', key.paused(), ARGV[1], cjson.encode({by = ARGV[2], at = now()}))
note(ARGV[3], ARGV[4], paused == 1 and 'paused' or 'unchanged', ARGV[1])
return paused
