-- Folds the counters of minutes that are over into the totals, which last, and into those of their hour, and reads the
-- totals. A minute is folded once: how far that has come stands beside the totals, as `from`, the first minute that
-- isn't folded. An hour says how much of it is folded, as `minutes`.
-- ARGV: how many hashes to look at, at most
-- Returns {1 where all is folded that is over, else 0; the totals; the counters of each minute that isn't over}: so
--         that their sum never goes back.

-- The minute before this one is left open too: a clock that is set back a little loses no count.
local this_minute = math.floor(now() / 60000)
local last_over = this_minute - 2
local totals, tenants = key.totals(), redis.call('SMEMBERS', key.tenants())
local from = tonumber(redis.call('HGET', totals, 'from')) or this_minute - STATS_TTL_S / 60
local left = tonumber(ARGV[1])

-- Faults come and go with releases: totals, which last, leave them out.
local function lasts(field)
  return not string.find(field, '/fault/', 1, true)
end

-- What is folded in this call is added up here first: each counter is then written once, not once per minute and tenant.
local sums = {}

local function add(name, field, by)
  sums[name] = sums[name] or {}
  sums[name][field] = (sums[name][field] or 0) + by
end

local function fold(minute)
  local hour = key.hours(whole(math.floor(minute / 60)))
  for _, tenant in ipairs(tenants) do
    local counted = redis.call('HGETALL', key.stats(tenant, whole(minute)))
    for i = 1, #counted, 2 do
      add(hour, counted[i], tonumber(counted[i + 1]))
      if lasts(counted[i]) then add(totals, counted[i], tonumber(counted[i + 1])) end
    end
  end
  add(hour, 'minutes', 1)
  left = left - math.max(#tenants, 1)
end

while from <= last_over and left > 0 do
  fold(from)
  from = from + 1
end
for name, of_name in pairs(sums) do
  for field, by in pairs(of_name) do redis.call('HINCRBY', name, field, whole(by)) end
  if name ~= totals then redis.call('EXPIRE', name, HOURS_TTL_S) end
end
redis.call('HSET', totals, 'from', whole(from))

local answer = {from > last_over and 1 or 0, redis.call('HGETALL', totals)}
for minute = from, this_minute do
  if answer[1] == 0 then break end
  for _, tenant in ipairs(tenants) do
    answer[#answer + 1] = redis.call('HGETALL', key.stats(tenant, whole(minute)))
  end
end
return answer
