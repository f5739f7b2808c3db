-- Ends tasks of a case, and those that read its documents, whatever they are doing, and forgets them with everything
-- that points to them. A worker that runs one is told to stop; what it writes after this is refused, for there is no
-- record any more.
-- ARGV: tenant, case, then the ids
-- Returns how many were erased.

local tenant, case, erased = ARGV[1], ARGV[2], 0

local function take_out(task)
  if task.status == 'running' and task.awaiting == '' then
    settle(task, task.worker)
    redis.call('PUBLISH', key.control(), 'cancel ' .. task.id .. ' ' .. task.run)
    return
  end
  if task.parent ~= '' and redis.call('LREM', key.held(task.parent), 1, task.id) == 1 then return end
  withdraw(task)
end

-- Those who watch hear of the end; the log that late comers read has nothing of it.
local function stop(task)
  take_out(task)
  finish(task, 'cancelled', 0)
  publish(task, next_seq(), 'cancelled', attempt_json(task))
end

-- A number in the log of a task is that of its event among those of the tenant.
local function forget_events(task)
  for seq in string.gmatch('\n' .. task.log, '\n(%d+) ') do
    redis.call('XDEL', key.recent(task.tenant), seq .. '-0')
  end
end

-- A key that was used for other tasks too still stands for those.
local function forget_idempotency(task)
  local digest = redis.call('HGET', key.task(task.id), 'idem')
  if not digest then return end
  local known = key.idempotency(task.tenant, digest)
  if redis.call('HGET', known, 'ids') == task.id then redis.call('DEL', known) end
end

-- Webhooks of the task, whatever became of them, go with it: the address that they name is the client's.
local function deliveries_of(task)
  local found = {}
  if task.callback == '' then return found end
  for id in string.gmatch(redis.call('HGET', key.task(task.id), 'deliveries') or '', '[^,]+') do
    found[#found + 1] = load(id)
  end
  return found
end

local erase

function erase(task)
  for _, delivery in ipairs(deliveries_of(task)) do erase(delivery) end
  if not FINAL[task.status] then stop(task) end
  forget_events(task)
  forget_idempotency(task)
  forget_record(task)
  redis.call('ZREM', key.expiring(), task.id)
end

for i = 3, #ARGV do
  local task = load(ARGV[i])
  local reads_it = redis.call('SREM', key.about(tenant, case), ARGV[i]) == 1
  if not task then
    redis.call('ZREM', key.by_case(tenant, case), ARGV[i])
  elseif task.tenant == tenant and (task.case == case or reads_it) then
    erase(task)
    erased = erased + 1
  end
end
redis.call('HINCRBY', key.erasure(tenant, case), 'tasks', erased)
return erased
