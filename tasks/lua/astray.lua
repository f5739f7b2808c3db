-- What can have gone astray, and how each thing is put right. Nothing here should ever be found: it is for what was
-- deleted by hand, lost with a server's last second, or left by a fault of ours.
--
-- A task in flight is in its lane, held back, delayed, or in the acks of a worker, and each move between these is one
-- script: whoever looks inside of a script finds it in one of them. What one script can't decide (a worker that was
-- struck off the list may still live) has to be found twice, some seconds apart, with the same `state_of`.

local LONGEST_LIST = 10000
local NEIGHBOURS = 400
local PRIORITIES = {'critical', 'high', 'normal', 'low'}

-- `looked_at` counts what this call has read, so that it can stop in time.
local lists, neighbours, looked_at, listed_workers, looks_closely

-- A close look asks for one id at a time, also in a long list; else a list is read once for all the ids of the call.
local function begin_looking(closely)
  lists, neighbours, looked_at, looks_closely = {}, {}, 0, closely
  listed_workers = redis.call('ZRANGE', key.heartbeats(), 0, -1)
end

-- Nil where the list is too long to be read.
local function members_of(list)
  if lists[list] == nil then
    local length, found = redis.call('LLEN', list), {}
    lists[list] = length <= LONGEST_LIST and found
    looked_at = looked_at + math.min(length, LONGEST_LIST)
    if length > LONGEST_LIST then return nil end
    for _, id in ipairs(redis.call('LRANGE', list, 0, -1)) do found[id] = true end
  end
  return lists[list] or nil
end

-- Tasks that were made one after the other mostly stand one after the other: around the first one that is asked for
-- are most of the others, and the whole list needn't be read.
local function stands_nearby(list, id)
  if not neighbours[list] then
    local near = {}
    neighbours[list] = near
    local rank = redis.call('LLEN', list) <= LONGEST_LIST and redis.call('LPOS', list, id)
    if not rank then return false end
    for _, other in ipairs(redis.call('LRANGE', list, math.max(0, rank - NEIGHBOURS), rank + NEIGHBOURS)) do
      near[other] = true
    end
  end
  return neighbours[list][id]
end

-- Nil where nobody knows.
local function stands_in(list, id)
  if looks_closely then return redis.call('LPOS', list, id) and true or false end
  if stands_nearby(list, id) then return true end
  local members = members_of(list)
  return members and (members[id] or false)
end

local function is_listed(worker)
  return worker ~= '' and redis.call('ZSCORE', key.heartbeats(), worker)
end

local function is_held_by_a_worker(task)
  looked_at = looked_at + #listed_workers * #PRIORITIES
  for _, worker in ipairs(listed_workers) do
    for _, priority in ipairs(PRIORITIES) do
      if redis.call('SISMEMBER', key.acks(worker, task.queue .. '.' .. priority), task.id) == 1 then return true end
    end
  end
  return false
end

-- Returns 'lane' and which, 'held', 'worker', 'nowhere'; 'unknown' where a list is too long.
local function whereabouts(task)
  local unknown = false
  local lanes = {task.lane}
  for _, priority in ipairs(PRIORITIES) do lanes[#lanes + 1] = task.queue .. '.' .. priority end
  for _, lane in ipairs(lanes) do
    local stands = stands_in(key.lane(lane), task.id)
    if stands then return 'lane', lane end
    unknown = unknown or stands == nil
  end
  if task.parent ~= '' then
    local held = stands_in(key.held(task.parent), task.id)
    if held then return 'held' end
    unknown = unknown or held == nil
  end
  if is_held_by_a_worker(task) then return 'worker' end
  return unknown and 'unknown' or 'nowhere'
end

local function has_ended(id)
  local status = redis.call('HGET', key.task(id), 'status')
  return not status or FINAL[status] or false
end

-- ---------------------------------------------------------------------------------------------- the finds

local function lacks_message(lane, id)
  return redis.call('HEXISTS', key.messages(lane), id) == 0
end

local function is_held_by_a_run(slots)
  for _, id in ipairs(redis.call('SMEMBERS', slots)) do
    if redis.call('HGET', key.task(id), 'status') == 'running' then return true end
  end
  return false
end

-- Whether somebody will see to a parked task: who does the chores, or the run of its case that takes its slot.
local function waits_for_its_turn(task)
  if task.limiter == '' or not redis.call('ZSCORE', parked_at(task), task.id) then return false end
  if redis.call('HEXISTS', key.delayed_messages(task.lane), task.id) == 0 then return false end
  if task.limiter ~= 'case' then return redis.call('SISMEMBER', key.limited(), group_of(task)) == 1 end
  return is_held_by_a_run(key.slots_of_case(task.name, task.tenant, task.case))
end

local function find_waiting(task)
  if waits_for_its_turn(task) then return nil end
  local where, lane = whereabouts(task)
  if where == 'nowhere' then return 'lost' end
  if where == 'lane' then return lacks_message(lane, task.id) and 'lost' or nil end
  if where == 'held' then return has_ended(task.parent) and 'orphaned' or nil end
  if where == 'unknown' then return lacks_message(task.lane, task.id) and 'lost' or 'unchecked' end
end

local function find_delayed(task)
  if not redis.call('ZSCORE', key.delayed(), task.id) then return 'undelayed' end
end

-- What the children came to, from their own records; nil where not all of them are listed any more.
local function counted_children(parent)
  local ids = redis.call('ZRANGE', key.children(parent.id), 0, -1)
  looked_at = looked_at + #ids
  if #ids < (tonumber(parent.kids_total) or 0) then return nil end
  local counts = {succeeded = 0, failed = 0, cancelled = 0, running = 0, retrying = 0, queued = 0, scheduled = 0}
  for _, id in ipairs(ids) do
    local status = redis.call('HGET', key.task(id), 'status') or 'cancelled'
    counts[status] = counts[status] + 1
  end
  counts.going_on = counts.running + counts.retrying + counts.queued + counts.scheduled
  counts.total = counts.going_on + counts.succeeded + counts.failed + counts.cancelled
  return counts
end

local function counters_say_all_ended(parent)
  local total, good, bad, gone =
    numbers(key.task(parent.id), 'kids_total', 'kids_succeeded', 'kids_failed', 'kids_cancelled')
  return good + bad + gone >= total
end

local function find_awaiting(task)
  local counts = counted_children(task)
  if not counts then return counters_say_all_ended(task) and 'unwoken' or nil end
  if counts.going_on == 0 then return 'unwoken' end
  local none_under_way = counts.going_on == redis.call('LLEN', key.held(task.id))
  if none_under_way and task.paused == '' then return 'stalled' end
end

local function find_running(task)
  if task.awaiting == 'due' then return find_waiting(task) end
  if task.awaiting == '1' then return find_awaiting(task) end
  if is_held_by_a_worker(task) then return nil end
  return is_listed(task.worker) and 'unheld' or 'abandoned'
end

local FIND = {queued = find_waiting, running = find_running, scheduled = find_delayed, retrying = find_delayed}

local function find_astray(task)
  looked_at = looked_at + 1
  return FIND[task.status] and FIND[task.status](task)
end

-- Two looks at a task that has not moved between them give the same.
local function state_of(task)
  return table.concat({task.status, task.run, task.retries, task.awaiting, task.worker, task.queued, task.eta,
    task.raised, task.cancel}, ' ')
end

-- ---------------------------------------------------------------------------------------------- the cures

local cure = {}

function cure.lost(task)
  if task.limiter ~= '' then
    if task.limiter == 'case' then free_lost_slots(key.slots_of_case(task.name, task.tenant, task.case)) end
    leave_limiter(task)
    save(task)
  end
  local where, lane = whereabouts(task)
  if where == 'lane' then
    redis.call('HSET', key.messages(lane), task.id, ticket(task))
  else
    push(task, true)
  end
end

function cure.orphaned(task, retention)
  redis.call('LREM', key.held(task.parent), 0, task.id)
  cancelled(task, retention)
end

function cure.undelayed(task)
  delay(task, tonumber(task.eta) or now())
end

local function count_anew(task)
  local counts = counted_children(task)
  if not counts then return end
  redis.call('HSET', key.task(task.id), 'kids_total', counts.total, 'kids_succeeded', counts.succeeded,
    'kids_failed', counts.failed, 'kids_cancelled', counts.cancelled, 'kids_running', counts.running,
    'kids_retrying', counts.retrying)
end

function cure.unwoken(task)
  count_anew(task)
  tell_parent(task.id)
end

function cure.stalled(task)
  count_anew(task)
  queue_next_held_child(task.id)
end

function cure.abandoned(task, retention)
  redis.call('SREM', key.acks(task.worker, task.lane), task.id)
  redis.call('LREM', key.lane(task.lane), 0, task.id)
  redis.call('HDEL', key.messages(task.lane), task.id)
  recover(task, 'worker lost', retention)
end

-- The worker lives: it goes on with the run, or, not knowing of it, gives it back itself.
function cure.unheld(task)
  redis.call('SADD', key.acks(task.worker, task.lane), task.id)
end

function cure.unindexed(task)
  redis.call('ZADD', key.by_status(task.tenant, task.status), task.cseq, task.id)
end

local function is_waiting(task)
  return task and (task.status == 'queued' or task.awaiting == 'due')
end

-- What a worker held that nobody lists: as a dead worker's, but nothing that waits elsewhere is queued twice.
local function empty_acks(worker, lane, retention)
  for _, id in ipairs(redis.call('SMEMBERS', key.acks(worker, lane))) do
    local task = load(id)
    redis.call('SREM', key.acks(worker, lane), id)
    if not is_waiting(task) or whereabouts(task) == 'nowhere' then
      give_back(id, lane, worker, 'worker lost', retention)
    end
  end
end
