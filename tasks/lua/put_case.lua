-- Keeps what a client told, in the place of what was told before; the case's vector stays while the conversation does.
-- ARGV: tenant, case, the key that was sealed with, '1' where it is a new one, TTL of the key in s, TTL of the case in
--       s, version of the conversation, number of its messages, conversation, metadata (both sealed)
-- Returns {'kept'}; {'rekey', tenant, case, key kept or ''} where the case has another key.

local tenant, id, _, _, key_ttl, ttl, version, turns, conversation, metadata = unpack(ARGV)
local others = other_keys(ARGV, 1, 1)
if others then return others end
keep_keys(ARGV, 1, 1, key_ttl)

local case = key.case(tenant, id)
if redis.call('HGET', case, 'version') ~= version then
  redis.call('HDEL', case, 'vector')
  redis.call('ZREM', key.case_vectors(tenant), id)
end
redis.call('HSET', case, 'conversation', conversation, 'turns', turns, 'metadata', metadata, 'version', version,
  'updated', whole(now()))
touch(tenant, id, ttl, case, key.case_documents(tenant, id))
redis.call('EXPIRE', key.case_vectors(tenant), ttl)
return {'kept'}
