-- Forgets a document of a case that isn't on hold.
-- ARGV: tenant, case, document, digest of its bytes, audit line or ''
-- Returns how many documents still use its bytes; 'held' where a hold keeps the case.

local tenant, case, document, digest, line = unpack(ARGV)
if redis.call('EXISTS', key.case_hold(tenant, case)) == 1 then return 'held' end

local users = key.blob_users(tenant, digest)
local was_there = redis.call('DEL', key.document(tenant, document))
redis.call('SREM', key.case_documents(tenant, case), document)
redis.call('SREM', users, document)
redis.call('DEL', key.analysed(tenant, digest))
if was_there == 1 then note(tenant, line, 'deleted', document) end
return redis.call('SCARD', users)
