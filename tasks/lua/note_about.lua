-- Notes that a task which is not of a case reads a document of it, so that it is erased with the case.
-- ARGV: task, tenant, case, document, TTL in s
-- Returns 1; 0 where the document is gone, or its case is being erased.

local task, tenant, case, document, ttl = unpack(ARGV)
local erasure = redis.call('HMGET', key.erasure(tenant, case), 'began', 'receipt')
local is_going = erasure[1] and not erasure[2]
if is_going or redis.call('EXISTS', key.document(tenant, document)) == 0 then return 0 end

local about = key.about(tenant, case)
redis.call('SADD', about, task)
if redis.call('EXISTS', key.case_hold(tenant, case)) == 0 then redis.call('EXPIRE', about, ttl) end
return 1
