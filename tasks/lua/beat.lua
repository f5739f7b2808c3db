-- Tells that a worker lives, and tells it whether the chores are its to do.
-- ARGV: worker, description (JSON) or '' (as told before), its TTL in ms, TTL of the lease on the chores in ms
-- Returns 1 where this worker holds the lease, else 0.

local worker, description, description_ttl, lease_ttl = unpack(ARGV)
redis.call('ZADD', key.heartbeats(), now(), worker)
if description ~= '' then redis.call('SET', key.worker(worker), description, 'PX', description_ttl) end
local holder = redis.call('GET', key.chores())
if holder and holder ~= worker then return 0 end
redis.call('SET', key.chores(), worker, 'PX', lease_ttl)
return 1
