-- Stops a queue: workers finish what they have begun and take nothing more of it. One that is paused stays as it is.
-- ARGV: queue, who pauses it
-- Returns 1, or 0 where it was paused already.

return redis.call('HSETNX', key.paused(), ARGV[1], cjson.encode({by = ARGV[2], at = now()}))
