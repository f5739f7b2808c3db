-- Begins to erase a case, or goes on with it: its key goes first, so that nothing of the case can be read any more.
-- ARGV: tenant, case, TTL in s of what is known of the erasure, audit line or ''
-- Returns {'begun'}; {'done', receipt} where it was erased and nothing of it came since; {'held'} where a hold keeps it;
--         {'gone'} where there is no such case.

local tenant, id, ttl, line = unpack(ARGV)
local erasure, case = key.erasure(tenant, id), key.case(tenant, id)
local names = {case, key.case_key(tenant, id), key.case_documents(tenant, id), key.by_case(tenant, id),
  key.about(tenant, id)}

if redis.call('EXISTS', key.case_hold(tenant, id)) == 1 then
  note(tenant, line, 'on-hold', id)
  return {'held'}
end
local known = redis.call('HMGET', erasure, 'began', 'receipt')
if redis.call('EXISTS', unpack(names)) == 0 then
  if known[2] then return {'done', known[2]} end
  if not known[1] then return {'gone'} end
end

if not known[1] or known[2] then
  redis.call('DEL', erasure)
  redis.call('HSET', erasure, 'began', whole(now()))
  note(tenant, line, 'begun', id)
end
redis.call('HINCRBY', erasure, 'keys', redis.call('EXISTS', names[2]))
redis.call('HINCRBY', erasure, 'conversations', redis.call('HEXISTS', case, 'conversation'))
redis.call('HINCRBY', erasure, 'vectors', redis.call('HEXISTS', case, 'vector'))
redis.call('EXPIRE', erasure, ttl)
redis.call('DEL', case, names[2])
for _, digest in ipairs(redis.call('SMEMBERS', key.vectors_of_case(tenant, id))) do
  redis.call('DEL', key.shared_vector(tenant, digest))
  redis.call('ZREM', key.shared_vectors(tenant), digest)
end
redis.call('DEL', key.vectors_of_case(tenant, id))
redis.call('ZREM', key.case_vectors(tenant), id)
redis.call('PUBLISH', key.case_erasures(), tenant .. '\n' .. id)
return {'begun'}
