-- What one worker process does for all of them: queues what is due, takes back what dead workers held, moves up what
-- has waited too long, and wakes those who wait for a limit (limits.lua). Each is idempotent, so that two processes
-- which both think it is theirs do no harm.

local function promote(task)
  undelay(task)
  set(task, 'queued', whole(now()))
  unset(task, 'eta')
  move(task, 'queued')
  push(task)
  tell(task, 'queued', '')
  save(task)
end

-- The ms until the first of a set comes `wait` ms after its score; nil where the set is empty. 0 and less: it came.
local function ms_until_first(set_of_times, wait)
  local first = redis.call('ZRANGE', set_of_times, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) + wait - now(), first[1]
end

-- Puts delayed tasks whose time has come into their lanes. Returns the ms until the next one is due, or -1.
local function promote_due(states, most)
  local left = ms_until_first(key.delayed(), 0)
  if left and left <= 0 then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.delayed(), '-inf', now(), 'LIMIT', 0, most)) do
      local task = load(id)
      if task and allowed(task, states) then promote(task) else redis.call('ZREM', key.delayed(), id) end
    end
    left = ms_until_first(key.delayed(), 0)
  end
  return left and math.max(0, left) or -1
end

local function crash(task, most_crashes, retention)
  set(task, 'crashes', task.crashes + 1)
  redis.call('HDEL', key.messages(task.lane), task.id)
  if task.crashes < most_crashes then return recover(task, 'worker lost', retention) end
  failed(task, cjson.encode({type = 'WorkerCrashed', attempt = task.retries + 1, at = now(), retryable = false,
    message = task.crashes .. ' workers died while they ran this task.'}), retention)
end

local function take_back(id, lane, worker, most_crashes, retention)
  local task = load(id)
  if task and task.status == 'running' and task.awaiting == '' and task.worker == worker then
    crash(task, most_crashes, retention)
  else
    give_back(id, lane, worker, 'worker lost', retention)
  end
end

local function reap(worker, most_crashes, retention, lanes)
  local held = 0
  for _, lane in ipairs(lanes) do
    local acks = key.acks(worker, lane)
    for _, id in ipairs(redis.call('SMEMBERS', acks)) do
      take_back(id, lane, worker, most_crashes, retention)
      held = held + 1
    end
    redis.call('DEL', acks)
  end
  redis.call('ZREM', key.heartbeats(), worker)
  redis.call('DEL', key.worker(worker))
  return held
end

-- Takes back what the workers held that were not heard of for `timeout` ms: to the head of its lane, or, after too many
-- deaths, to the dead letters. Returns {worker, how many tasks it held, ...}, and the ms until the worker that was
-- silent longest would be taken for dead, or -1.
local function reap_dead(timeout, most_crashes, retention, lanes)
  local report = {}
  while true do
    local left, worker = ms_until_first(key.heartbeats(), timeout)
    if not left then return report, -1 end
    if left > 0 then return report, left end
    report[#report + 1] = worker
    report[#report + 1] = reap(worker, most_crashes, retention, lanes)
  end
end

local ABOVE = {low = 'normal', normal = 'high', high = 'critical'}
local RAISED_AT_ONCE = 100

local function raise(task, to)
  redis.call('LPOP', key.lane(task.lane))
  redis.call('HDEL', key.messages(task.lane), task.id)
  set(task, 'raised', to)
  set(task, 'raised_at', whole(now()))
  task.lane = task.queue .. '.' .. to
  push(task)
  save(task)
end

-- Moves the head of a lane up while it has waited longer than `ageing` ms in it. What was given back stands at the head
-- with a fresh time, and those behind it wait for the next look.
local function raise_aged_in(queue, priority, ageing)
  local lane = queue .. '.' .. priority
  for _ = 1, RAISED_AT_ONCE do
    local id = redis.call('LINDEX', key.lane(lane), 0)
    local task = id and load(id)
    if not task or task.lane ~= lane or task.queued == '' then return end
    local since = task.raised_at ~= '' and task.raised_at or task.queued
    if now() - tonumber(since) < ageing then return end
    raise(task, ABOVE[priority])
  end
end

local function raise_aged(queues, ageing)
  local lanes, lists = {}, {}
  for _, queue in ipairs(queues) do
    for _, priority in ipairs({'high', 'normal', 'low'}) do
      lanes[#lanes + 1] = {queue, priority}
      lists[#lists + 1] = key.lane(queue .. '.' .. priority)
    end
  end
  if redis.call('EXISTS', unpack(lists)) == 0 then return end
  for _, lane in ipairs(lanes) do raise_aged_in(lane[1], lane[2], ageing) end
end
