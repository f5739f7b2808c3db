-- Notes that a case is erased, unless something of it came meanwhile.
-- ARGV: tenant, case, receipt, TTL in s, audit line or ''
-- Returns 1, or 0 where there is something to be erased again.

local tenant, id, receipt, ttl, line = unpack(ARGV)
local left = redis.call('EXISTS', key.by_case(tenant, id), key.case_documents(tenant, id), key.about(tenant, id))
if left > 0 then return 0 end
-- A call that is made again because its answer was lost.
if redis.call('HGET', key.erasure(tenant, id), 'receipt') == receipt then return 1 end
redis.call('HSET', key.erasure(tenant, id), 'receipt', receipt)
redis.call('EXPIRE', key.erasure(tenant, id), ttl)
note(tenant, line, 'deleted', id)
return 1
