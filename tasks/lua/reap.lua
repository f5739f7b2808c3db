-- Takes back what dead workers held: to the head of its lane, or, after too many deaths, to the dead letters.
-- ARGV: heartbeat timeout in ms, sweep interval in ms, most crashes, retention in ms, then every lane
-- Returns {worker, recovered, ...}: the dead workers and how many tasks each held. One process does it per interval.

local timeout, interval = tonumber(ARGV[1]), ARGV[2]
local most_crashes, retention = tonumber(ARGV[3]), tonumber(ARGV[4])
if not redis.call('SET', key.reaper(), '1', 'NX', 'PX', interval) then return {} end

local function crash(task)
  set(task, 'crashes', task.crashes + 1)
  redis.call('HDEL', key.messages(task.lane), task.id)
  if task.crashes < most_crashes then return recover(task, 'worker lost', retention) end
  failed(task, cjson.encode({type = 'WorkerCrashed', attempt = task.retries + 1, at = now(), retryable = false,
    message = task.crashes .. ' workers died while they ran this task.'}), retention)
end

local function take_back(id, lane, worker)
  local task = load(id)
  if not task or FINAL[task.status] then
    redis.call('HDEL', key.messages(lane), id)
  elseif task.status == 'queued' or task.awaiting == 'due' then
    push(task, true)  -- fetched but not begun
  elseif task.status == 'running' and task.worker == worker then
    crash(task)
  end
end

local report = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key.heartbeats(), '-inf', now() - timeout)) do
  local held = 0
  for i = 5, #ARGV do
    local acks = key.acks(worker, ARGV[i])
    for _, id in ipairs(redis.call('SMEMBERS', acks)) do
      take_back(id, ARGV[i], worker)
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
