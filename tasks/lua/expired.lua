-- Which ended tasks are to be forgotten: the caller deletes their files, then expires them.
-- ARGV: how many at most, retention in ms
-- Returns {id, tenant, ...}.

local most, retention = tonumber(ARGV[1]), tonumber(ARGV[2])
local LOOKS_AT_MOST = 5

-- What the cases of a batch came to is read at the batch, as long as there is the batch: nil where nothing keeps this
-- task, else when it is to be looked at again. What is to be forgotten on request is kept by nobody. A hold on its case
-- keeps a task whatever becomes of the batch.
local function kept_until(task, due)
  if task.case ~= '' and redis.call('EXISTS', key.case_hold(task.tenant, task.case)) == 1 then
    return now() + retention
  end
  if task.parent == '' or task.forget == '1' or due == 0 then return nil end
  if redis.call('EXISTS', key.task(task.parent)) == 0 then return nil end
  local until_when = tonumber(redis.call('ZSCORE', key.expiring(), task.parent)) or now() + retention
  return until_when > now() and until_when or nil
end

local function keep(task, until_when)
  redis.call('ZADD', key.expiring(), until_when, task.id)
  redis.call('PEXPIRE', key.task(task.id), until_when - now() + SPARE_MS)
end

-- Returns whether one of those that were due is kept.
local function look(report)
  local due, has_kept = redis.call('ZRANGEBYSCORE', key.expiring(), '-inf', now(), 'WITHSCORES', 'LIMIT', 0, most), false
  for i = 1, #due, 2 do
    local task = load(due[i])
    local until_when = task and kept_until(task, tonumber(due[i + 1]))
    if until_when then
      keep(task, until_when)
      has_kept = true
    else
      report[#report + 1] = due[i]
      report[#report + 1] = task and task.tenant or ''
    end
  end
  return has_kept
end

-- An empty report ends the caller's round: what is left then is seen to in the next one.
for _ = 1, LOOKS_AT_MOST do
  local report = {}
  local has_kept = look(report)
  if #report > 0 or not has_kept then return report end
end
return {}
