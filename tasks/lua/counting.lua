-- Counters of what happened, a hash per tenant and minute with fields `queue/task name/what[/which]`; what they are
-- worth is told by tasks/statistics.py. Minutes that are over are folded into hours and totals (total.lua).

local STATS_TTL_S = 8 * 24 * 3600
local HOURS_TTL_S = 35 * 24 * 3600
-- Of each type of task in each hour.
local SLOWEST = 5

local function count(task, what, by)
  by = by or 1
  local stats = key.stats(task.tenant, whole(math.floor(now() / 60000)))
  if redis.call('HINCRBY', stats, task.queue .. '/' .. task.name .. '/' .. what, by) == by then
    redis.call('EXPIRE', stats, STATS_TTL_S)
  end
end

-- A duration falls into one of four buckets per doubling, so a percentile read from them is within 19 %.
local function count_duration(task, what, since)
  local ms = math.max(now() - tonumber(since), 0)
  count(task, what .. '/' .. whole(math.floor(4 * math.log(ms + 1) / math.log(2))))
end

-- What a task failed of: the fingerprint, if the fault has one, and the type of the error.
local function count_fault(task, problem)
  local fault = cjson.decode(problem)
  count(task, 'fault/' .. (fault.fingerprint or '') .. ' ' .. string.gsub(fault.type or '', '/', '.'))
end

-- What the worker found slow for its type is compared with what other workers found.
local function note_slow(task)
  local slowest = key.slowest(task.name, whole(math.floor(now() / 3600000)))
  redis.call('ZADD', slowest, now() - tonumber(task.started), task.id .. ' ' .. task.status .. ' ' .. whole(now()))
  redis.call('ZREMRANGEBYRANK', slowest, 0, -SLOWEST - 1)
  redis.call('EXPIRE', slowest, HOURS_TTL_S)
end
