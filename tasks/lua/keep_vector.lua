-- Keeps what a case is about, as a vector, with the case: it expires and is forgotten with it.
-- ARGV: tenant, case, version of the conversation that was read, model, vector (bytes), TTL of the list in s
-- Returns 'kept', or 'stale' where the case is gone or holds another conversation by now.

local tenant, id, version, model, vector, ttl = unpack(ARGV)
local case, listed = key.case(tenant, id), key.case_vectors(tenant)
if redis.call('HGET', case, 'version') ~= version then return 'stale' end

redis.call('HSET', case, 'vector', version .. '\n' .. model .. '\n' .. vector)
redis.call('ZADD', listed, next_seq(), id)
redis.call('EXPIRE', listed, ttl)
-- A case expires in silence: each newcomer looks after two others, so the list never holds many that are gone.
for _, other in ipairs(redis.call('ZRANDMEMBER', listed, 2)) do
  if redis.call('HEXISTS', key.case(tenant, other), 'vector') == 0 then redis.call('ZREM', listed, other) end
end
return 'kept'
