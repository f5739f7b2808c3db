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
  return FINAL[parent[1]] or parent[2] == '1'
end

local function answer()
  local rest = redis.call('HMGET', key.task(id), 'payload', 'options')
  return {'started', rest[1], rest[2], task.tenant, task.case, task.parent, task.retries}
end

-- A parent whose children have ended goes on where it stopped: for those who watch, it never stopped running.
local function begin_or_go_on()
  set(task, 'run', run)
  set(task, 'attempt', task.retries + 1)
  set(task, 'worker', worker)
  set(task, 'token', token)
  -- A worker that was taken for dead and woke up is held to what it begins.
  redis.call('SADD', key.acks(worker, lane), id)
  unset(task, 'eta', 'awaiting')
  if task.status == 'running' then return end
  unset(task, 'progress', 'progress_message', 'progress_seq')
  if task.queued ~= '' then count_duration(task, 'wait', task.queued) end
  set(task, 'started', whole(now()))
  move(task, 'running')
  tell(task, 'running', cjson.encode({run = run, attempt = task.retries + 1, worker = worker}))
end

if not task then return refuse() end
if task.status == 'running' and task.token == token then return answer() end
local resumes = task.status == 'running' and task.awaiting == 'due'
if not allowed(task, states) or task.run + 1 ~= run or (task.status == 'running' and not resumes) then
  return refuse()
end
if parent_gave_up() then
  cancelled(task, retention)
  return refuse()
end
begin_or_go_on()
save(task)
return answer()
