-- Keeps vectors for whoever of the tenant reads the same texts; those of a case go with it (`begin_erasure`).
-- ARGV: tenant, case or '', the key that was sealed with or '', how many of a tenant at most, TTL in s, then a digest and
--       a sealed vector of each
-- Returns how many were kept: none where the case has another key by now, or shares as many as it may.

local OF_A_CASE = 1000
local tenant, case, wrapped, most, ttl = unpack(ARGV, 1, 5)
local listed, of_case = key.shared_vectors(tenant), key.vectors_of_case(tenant, case)
local count = (#ARGV - 5) / 2
if case ~= '' then
  if redis.call('GET', key.case_key(tenant, case)) ~= wrapped then return 0 end
  if redis.call('SCARD', of_case) + count > OF_A_CASE then return 0 end
end

for i = 6, #ARGV, 2 do
  redis.call('SET', key.shared_vector(tenant, ARGV[i]), case .. '\n' .. ARGV[i + 1], 'EX', ttl)
  redis.call('ZADD', listed, now(), ARGV[i])
  if case ~= '' then redis.call('SADD', of_case, ARGV[i]) end
end
redis.call('EXPIRE', listed, ttl)
if case ~= '' then redis.call('EXPIRE', of_case, ttl) end

local over = redis.call('ZCARD', listed) - most
if over > 0 then
  local oldest = redis.call('ZPOPMIN', listed, over)
  for i = 1, #oldest, 2 do redis.call('UNLINK', key.shared_vector(tenant, oldest[i])) end
end
return count
