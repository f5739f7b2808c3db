-- Keeps a case from being erased and from expiring, or lets it go again.
-- ARGV: tenant, case, reason (sealed) or '' (the hold ends), by whom, TTL of the case in s, TTL of its key in s, how many
--       cases of a tenant may be on hold, audit line or ''
-- Returns 'held', 'released', 'gone' where there is no such case or no hold, 'full'.

local tenant, id, reason, by, ttl, key_ttl, most, line = unpack(ARGV)
local hold, holds, documents = key.case_hold(tenant, id), key.case_holds(tenant), key.case_documents(tenant, id)
local case, case_key, of_case = key.case(tenant, id), key.case_key(tenant, id), key.by_case(tenant, id)

local function last(name, how_long)
  if reason ~= '' then redis.call('PERSIST', name) else redis.call('EXPIRE', name, how_long) end
end

-- Bytes that another case on hold has too stay for that one.
local function is_kept_by_others(users)
  for _, document in ipairs(redis.call('SMEMBERS', users)) do
    local whose = redis.call('HGET', key.document(tenant, document), 'case')
    if whose and redis.call('EXISTS', key.case_hold(tenant, whose)) == 1 then return true end
  end
  return false
end

local function last_with_documents()
  last(case, ttl)
  last(documents, ttl)
  last(case_key, key_ttl)
  last(key.about(tenant, id), key_ttl)
  for _, document in ipairs(redis.call('SMEMBERS', documents)) do
    local name = key.document(tenant, document)
    local users = key.blob_users(tenant, redis.call('HGET', name, 'digest') or '')
    last(name, ttl)
    if reason ~= '' or not is_kept_by_others(users) then last(users, ttl) end
  end
end

if reason == '' then
  if redis.call('DEL', hold) == 0 then return 'gone' end
  redis.call('SREM', holds, id)
  last_with_documents()
  note(tenant, line, 'released', id)
  return 'released'
end
if redis.call('EXISTS', case, case_key, documents, of_case) == 0 then return 'gone' end
local erasure = redis.call('HMGET', key.erasure(tenant, id), 'began', 'receipt')
if erasure[1] and not erasure[2] then return 'gone' end
if redis.call('SISMEMBER', holds, id) == 0 and redis.call('SCARD', holds) >= tonumber(most) then return 'full' end
redis.call('HSET', hold, 'reason', reason, 'by', by, 'at', whole(now()))
redis.call('SADD', holds, id)
last_with_documents()
note(tenant, line, 'held', id)
return 'held'
