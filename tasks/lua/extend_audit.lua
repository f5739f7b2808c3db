-- Puts chained entries into the audit trails of their tenants, in place of what was noted; the oldest go where there
-- are too many, and the hash of the last of these is kept, so that the rest can still be checked.
-- ARGV: how many notes were taken before, how many are now, how many lost ones are told, how many entries a trail keeps,
--       how many tenants, then of each: tenant, number, ms and hash of its last entry; then per entry: tenant, id,
--       entry, hash
-- Returns 1, or 0 where another was faster; then nothing was changed.

local before, count, lost, most, heads = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5])

local function trim(tenant)
  local trail = key.audit(tenant)
  local over = redis.call('XLEN', trail) - most
  if over <= 0 then return end
  local gone = redis.call('XRANGE', trail, '-', '+', 'COUNT', over)
  local last = gone[#gone]
  redis.call('HSET', key.audit_head(tenant), 'anchor_seq', string.match(last[1], '-(%d+)$'), 'anchor_hash', last[2][4])
  redis.call('XTRIM', trail, 'MAXLEN', '=', most)
end

if tonumber(redis.call('HGET', key.audit_state(), 'taken') or '0') ~= before then return 0 end
local first = 6 + 4 * heads
for i = first, #ARGV, 4 do
  redis.call('XADD', key.audit(ARGV[i]), ARGV[i + 1], 'e', ARGV[i + 2], 'h', ARGV[i + 3])
end
for i = 6, first - 1, 4 do
  redis.call('HSET', key.audit_head(ARGV[i]), 'seq', ARGV[i + 1], 'ms', ARGV[i + 2], 'hash', ARGV[i + 3])
  redis.call('SADD', key.audited(), ARGV[i])
  trim(ARGV[i])
end
redis.call('LTRIM', key.audit_pending(), count, -1)
redis.call('HINCRBY', key.audit_state(), 'taken', count)
if lost ~= '0' then redis.call('HINCRBY', key.audit_state(), 'lost', '-' .. lost) end
return 1
