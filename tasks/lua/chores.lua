-- What one worker process does for all of them: queues what is due, takes back what dead workers held, and moves up
-- what has waited too long. Each is idempotent, so that two processes which both think it is theirs do no harm.

-- Puts delayed tasks whose time has come into their lanes. Returns the ms until the next one is due, or -1.
local function promote_due(states, most)
  local ids = redis.call('ZRANGEBYSCORE', key.delayed(), '-inf', now(), 'LIMIT', 0, most)
  for _, id in ipairs(ids) do
    local task = load(id)
    if task and allowed(task, states) then
      undelay(task)
      set(task, 'queued', whole(now()))
      unset(task, 'eta')
      move(task, 'queued')
      push(task)
      tell(task, 'queued', '')
      save(task)
    else
      redis.call('ZREM', key.delayed(), id)
    end
  end
  local following = redis.call('ZRANGE', key.delayed(), 0, 0, 'WITHSCORES')
  return following[2] and math.max(0, tonumber(following[2]) - now()) or -1
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

-- Takes back what the workers held that were not heard of for `timeout` ms: to the head of its lane, or, after too many
-- deaths, to the dead letters. Returns {worker, how many tasks it held, ...}.
local function reap_dead(timeout, most_crashes, retention, lanes)
  local report = {}
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key.heartbeats(), '-inf', now() - timeout)) do
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
    report[#report + 1] = worker
    report[#report + 1] = held
  end
  return report
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
  for _, queue in ipairs(queues) do
    for _, priority in ipairs({'high', 'normal', 'low'}) do raise_aged_in(queue, priority, ageing) end
  end
end
