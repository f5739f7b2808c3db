-- Whether a dependency may be called. While its breaker is open nobody may; after that one probe at a time.
-- ARGV: name, token of who asks, how long a probe counts as under way in ms
-- Returns {'closed'}; {'probe'} to the one who probes; {'open', ms until it is worth asking again}; {'probed', the same}

local name, token, lease = unpack(ARGV)
local known = redis.call('HMGET', key.breaker(name), 'until', 'probe', 'probe_until')
if not known[1] then return {'closed'} end
local wait = tonumber(known[1]) - now()
if wait > 0 then return {'open', wait} end
-- The same token again is a call whose answer was lost.
local left = known[2] and known[2] ~= token and tonumber(known[3]) - now() or 0
if left > 0 then return {'probed', left} end
redis.call('HSET', key.breaker(name), 'probe', token, 'probe_until', whole(now() + tonumber(lease)))
return {'probe'}
