-- Keeps what is known of an uploaded file. Its bytes are stored already, and guarded.
-- ARGV: as of `put_case` up to the TTL of the case, then id, digest of the bytes, time in ms, what is known (sealed)
-- Returns as `put_case`.

local tenant, id, _, _, key_ttl, ttl, document_id, digest, created, known = unpack(ARGV)
local others = other_keys(ARGV, 1, 1)
if others then return others end
keep_keys(ARGV, 1, 1, key_ttl)

local document, users = key.document(tenant, document_id), key.blob_users(tenant, digest)
redis.call('HSET', document, 'case', id, 'digest', digest, 'created', created, 'sealed', known)
redis.call('SADD', users, document_id)
redis.call('SADD', key.case_documents(tenant, id), document_id)
touch(tenant, id, ttl, document, key.case_documents(tenant, id), key.case(tenant, id))
-- Who uses the bytes lasts as long as any of them; another case's hold on the same bytes stays.
if redis.call('EXISTS', key.case_hold(tenant, id)) == 1 then
  redis.call('PERSIST', users)
elseif redis.call('SCARD', users) == 1 then
  redis.call('EXPIRE', users, ttl)
else
  redis.call('EXPIRE', users, ttl, 'XX')
end
redis.call('EXPIRE', key.case_vectors(tenant), ttl)
return {'kept'}
