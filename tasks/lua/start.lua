-- Begins run n+1 of a task, or refuses.
-- ARGV: id, the run that the ticket is for, worker, lane, allowed states, token, retention in ms
-- Returns {'started', payload, options, tenant, case, parent, retries}; {'refused', status or 'gone'}.
-- A ticket is good for one start: a second delivery of it finds the run begun, and is refused. The same call
-- sent again, its answer having been lost, is known by its token and gets the same answer.

local id, run, worker, lane = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local states, token, retention = ARGV[5], ARGV[6], tonumber(ARGV[7])
local task = load(id)

local function refuse()
  local runs_here = task and task.status == 'running' and task.worker == worker
  if not runs_here then redis.call('SREM', key.acks(worker, lane), id) end
  if not task or FINAL[task.status] then redis.call('HDEL', key.messages(lane), id) end
  return {'refused', task and task.status or 'gone'}
end

local function parent_gave_up()
  if task.parent == '' then return false end
  local parent = redis.call('HMGET', key.task(task.parent), 'status', 'aborted')
  return parent[1] == 'cancelled' or parent[2] == '1'
end

local function answer()
  local rest = redis.call('HMGET', key.task(id), 'payload', 'options')
  return {'started', rest[1], rest[2], task.tenant, task.case, task.parent, task.retries}
end

if not task then return refuse() end
if task.status == 'running' and task.token == token then return answer() end
if not allowed(task, states) or task.run + 1 ~= run then return refuse() end
if parent_gave_up() then
  finish(task, 'cancelled', retention)
  tell(task, 'cancelled', attempt_json(task))
  return refuse()
end

local task_key = key.task(id)
local goes_on = task.status == 'running'
if goes_on and task.awaiting ~= 'due' then return refuse() end
task.run = run
redis.call('HSET', task_key, 'run', run, 'attempt', task.retries + 1, 'worker', worker, 'token', token)
redis.call('HDEL', task_key, 'eta', 'awaiting')
if not goes_on then
  redis.call('HSET', task_key, 'started', whole(NOW))
  redis.call('HDEL', task_key, 'progress', 'progress_message', 'progress_seq')
  move(task, 'running')
  tell(task, 'running', cjson.encode({run = run, attempt = task.retries + 1, worker = worker}))
  if task.queued ~= '' then count_duration(task, 'wait', NOW - tonumber(task.queued)) end
end
return answer()
