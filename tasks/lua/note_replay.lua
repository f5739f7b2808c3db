-- What a replay of many has come to, under the Idempotency-Key of its request.
-- ARGV: tenant, digest of the key, fingerprint of the request, TTL in ms, how many were replayed since the last call,
--       '1' where it is over or ''
-- Returns {'going' or 'over', ms at which the first such request came, how many were replayed}; {'mismatch'} where the
--         key came with another request.

local tenant, digest, fingerprint, ttl, more, is_over = unpack(ARGV, 1, 6)
local name = key.idempotency(tenant, digest)
local known = redis.call('HGET', name, 'fingerprint')
if known and known ~= fingerprint then return {'mismatch'} end
if not known then
  redis.call('HSET', name, 'fingerprint', fingerprint, 'began', whole(now()))
  redis.call('PEXPIRE', name, ttl)
end
redis.call('HINCRBY', name, 'replayed', more)
if is_over == '1' then redis.call('HSET', name, 'over', '1') end
local r = redis.call('HMGET', name, 'over', 'began', 'replayed')
return {r[1] and 'over' or 'going', r[2], r[3]}
