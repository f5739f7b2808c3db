-- What a type of task may do at a time: so many runs a minute, so many runs at once, so many at once of one case.
--
-- A task that may not begin yet leaves its lane and is parked: queued still, with no attempt used, and shown as delayed.
-- Those of one type and queue are a group, in the order of their urgency; those whose case is busy stand by their case
-- until one of its runs ends. The record says why it is parked (`limiter`: rate, concurrency, case, or turn where the
-- case is free again), and a running one which slots it takes (`slots`): a slot is freed where the run ends, whatever
-- ends it, for that is where the status is carried.
--
-- Limits come with each call that may begin a run, from the settings of who calls, and '' is none: then nothing here
-- costs a command.

-- A rate is spread evenly. Who comes late by no more than this doesn't delay those behind it (GCRA, ITU-T I.371: the
-- tolerance of the cell rate): without it, each waking of a worker would take its milliseconds off the rate.
local LATE_MS = 100
local LOOKS_AT_ONCE = 200
local RANKS = {critical = 0, high = 1, normal = 2, low = 3}

local limits_remembered = {text = '', limits = nil}

-- {ageing = ms, of = {name = {gap = ms between two runs, at_once, of_case}}}; nil where nothing is limited.
local function parse_limits(text)
  if text == '' then return nil end
  if limits_remembered.text ~= text then limits_remembered = {text = text, limits = cjson.decode(text)} end
  return limits_remembered.limits
end

local function group_of(task)
  return task.name .. ' ' .. task.queue
end

local function parked_at(task)
  if task.limiter == 'case' then return key.parked_of_case(task.name, task.tenant, task.case) end
  return key.parked(task.name, task.queue)
end

-- ------------------------------------------------------------------------------------------------ the room

-- Ms until the rate has room for another run; 0 and less: it has.
local function ms_until_rate(name, limit)
  local planned = limit.gap and redis.call('GET', key.next_slot(name))
  return planned and tonumber(planned) - LATE_MS - now() or 0
end

local function is_full(slots, most)
  return most and redis.call('SCARD', slots) >= most
end

-- Nil where it may begin.
local function what_limits(task, limit)
  local busy_case = limit.of_case and task.case ~= ''
    and is_full(key.slots_of_case(task.name, task.tenant, task.case), limit.of_case)
  if busy_case then return 'case' end
  if is_full(key.slots(task.name), limit.at_once) then return 'concurrency' end
  if ms_until_rate(task.name, limit) > 0 then return 'rate' end
end

local function take_slots(task, limit)
  local taken = ''
  if limit.at_once then
    redis.call('SADD', key.slots(task.name), task.id)
    taken = 'type'
  end
  if limit.of_case and task.case ~= '' then
    redis.call('SADD', key.slots_of_case(task.name, task.tenant, task.case), task.id)
    taken = taken .. 'case'
  end
  if taken ~= '' then set(task, 'slots', taken) end
  if limit.gap then
    local planned = tonumber(redis.call('GET', key.next_slot(task.name)) or '0')
    local following = math.max(planned, now()) + limit.gap
    redis.call('SET', key.next_slot(task.name), string.format('%.3f', following), 'PX', whole(following - now() + LATE_MS))
  end
end

-- ------------------------------------------------------------------------------------------------- parking

-- In the order in which their lanes would have come: a task that has waited `ageing` longer is as urgent as one of the
-- priority above.
local function urgency(task, limits)
  local since = (tonumber(task.queued) or now()) + RANKS[task.priority] * limits.ageing
  return since * 4096 + tonumber(task.cseq) % 4096
end

-- Out of its lane, which it was taken from.
local function park(task, limiter, limits)
  redis.call('HDEL', key.messages(task.lane), task.id)
  lower(task)
  set(task, 'limiter', limiter)
  redis.call('HSET', key.delayed_messages(task.lane), task.id, ticket(task))
  redis.call('ZADD', parked_at(task), urgency(task, limits), task.id)
  -- Who does the chores looks when the rate has room again, as long as anybody is parked.
  if limiter ~= 'case' and redis.call('SADD', key.limited(), group_of(task)) == 1 then
    redis.call('PUBLISH', key.bell(), 'delayed')
  end
  save(task)
end

local function unpark(task)
  local parked = parked_at(task)
  redis.call('ZREM', parked, task.id)
  if task.limiter ~= 'case' and redis.call('EXISTS', parked) == 0 then
    redis.call('SREM', key.limited(), group_of(task))
  end
  redis.call('HDEL', key.delayed_messages(task.lane), task.id)
  unset(task, 'limiter')
end

-- The next one that stands by the case of this task may take its turn among those of its type.
local function pass_turn(task)
  if task.case == '' then return end
  local by_case = key.parked_of_case(task.name, task.tenant, task.case)
  while true do
    local first = redis.call('ZPOPMIN', by_case)
    if not first[1] then return end
    local following = load(first[1])
    if following and following.limiter == 'case' then
      set(following, 'limiter', 'turn')
      save(following)
      redis.call('ZADD', key.parked(following.name, following.queue), first[2], following.id)
      redis.call('SADD', key.limited(), group_of(following))
      limits_eased = true
      return
    end
  end
end

-- A parked task that ends, or stays parked no longer without having begun, leaves its turn to the next of its case.
function leave_limiter(task)
  unpark(task)
  pass_turn(task)
end

function free_slots(task)
  if string.find(task.slots, 'type', 1, true) then redis.call('SREM', key.slots(task.name), task.id) end
  if string.find(task.slots, 'case', 1, true) then
    redis.call('SREM', key.slots_of_case(task.name, task.tenant, task.case), task.id)
    pass_turn(task)
  end
  unset(task, 'slots')
  limits_eased = true
end

function ring_for_parked()
  if redis.call('EXISTS', key.limited()) == 1 then redis.call('PUBLISH', key.bell(), 'limits') end
end

-- ---------------------------------------------------------------------------------------------- their turn

local function split_group(group)
  return string.match(group, '^(%S+) (%S+)$')
end

local function has_room(name, limit)
  return not is_full(key.slots(name), limit.at_once) and ms_until_rate(name, limit) <= 0
end

-- How urgent it is by now, 0 for critical: what waits long rises, as in the lanes.
local function rank_by_now(task, limits)
  local waited = now() - (tonumber(task.queued) or now())
  return math.max(0, RANKS[task.priority] - math.floor(waited / limits.ageing))
end

local function first_of_group(group)
  local parked = key.parked(split_group(group))
  while true do
    local id = redis.call('ZRANGE', parked, 0, 0)[1]
    if not id then return nil end
    local task = load(id)
    if task and task.status == 'queued' and task.limiter ~= '' and task.limiter ~= 'case' then return task end
    redis.call('ZREM', parked, id)
  end
end

-- The most urgent parked task of these queues whose type has room, and its rank; nil where there is none.
local function next_parked(limits, queues)
  local best, best_rank
  for _, group in ipairs(redis.call('SMEMBERS', key.limited())) do
    local name, queue = split_group(group)
    local limit = limits.of[name]
    if limit and queues[queue] and has_room(name, limit) then
      local task = first_of_group(group)
      local rank = task and rank_by_now(task, limits)
      if task and (not best or rank < best_rank or (rank == best_rank and task.queued < best.queued)) then
        best, best_rank = task, rank
      end
    end
  end
  return best, best_rank
end

-- Whom nothing limits any more goes back to the lanes, oldest first. Returns whether more are left.
local function release_group(group)
  local ids = redis.call('ZRANGE', key.parked(split_group(group)), 0, LOOKS_AT_ONCE - 1)
  for _, id in ipairs(ids) do
    local task = load(id)
    if task and task.limiter ~= '' then
      leave_limiter(task)
      push(task)
      save(task)
    else
      redis.call('ZREM', key.parked(split_group(group)), id)
    end
  end
  if #ids == 0 then redis.call('SREM', key.limited(), group) end
  return #ids == LOOKS_AT_ONCE
end

-- Slots whose task doesn't run: its record was deleted by hand.
local function free_lost_slots(slots)
  for _, id in ipairs(redis.call('SMEMBERS', slots)) do
    if redis.call('HGET', key.task(id), 'status') ~= 'running' then redis.call('SREM', slots, id) end
  end
end

-- A part of the chores: wakes idle workers where parked tasks may begin, and lets go of what isn't limited any more.
-- Returns the ms until it is to be called again, nil where it needn't be.
local function tend_parked(limits, thoroughly)
  local nearest
  for _, group in ipairs(redis.call('SMEMBERS', key.limited())) do
    local name = split_group(group)
    local limit = limits and limits.of[name]
    local wait
    if not limit then
      wait = release_group(group) and 0 or nil
    else
      if thoroughly and limit.at_once then free_lost_slots(key.slots(name)) end
      if has_room(name, limit) then redis.call('PUBLISH', key.bell(), 'limits') end
      -- Not too often where all workers are busy, and never so late that the rate loses by it.
      wait = limit.gap and math.max(ms_until_rate(name, limit), LATE_MS / 2)
    end
    if wait and (not nearest or wait < nearest) then nearest = wait end
  end
  return nearest and math.ceil(nearest)
end
