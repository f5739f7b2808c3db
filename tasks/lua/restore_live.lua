-- Puts tasks that had not ended where they belong, in the order in which they are named: into their lane, among the
-- delayed with the time they had, or behind their parent. A run that was going on is over: its task is queued again,
-- and its log says so.
-- ARGV: retention in ms, then ids
-- Returns how many runs were cut off by the backup.

local retention, recovered = tonumber(ARGV[1]), 0

local function waits_for_parent(task)
  if task.parent == '' or redis.call('HEXISTS', key.task(task.id), 'alone') == 1 then return false end
  return not FINAL[redis.call('HGET', key.task(task.parent), 'status')]
end

local place = {}

function place.queued(task)
  if waits_for_parent(task) then redis.call('RPUSH', key.held(task.parent), task.id) else push(task) end
end

function place.scheduled(task)
  delay(task, tonumber(task.eta) or now())
end

place.retrying = place.scheduled

function place.running(task)
  if task.awaiting == '1' then return end
  if task.awaiting == 'due' then return push(task) end
  recover(task, 'restored', retention)
  recovered = recovered + 1
end

for i = 2, #ARGV do
  local task = load(ARGV[i])
  -- Slots and turns are of the time before.
  if task then unset(task, 'limiter', 'slots') end
  if task and place[task.status] then
    place[task.status](task)
    save(task)
  end
end
return recovered
