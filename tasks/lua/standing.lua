-- Where a waiting task stands. It changes nothing, and costs the same in a lane of any length.
-- ARGV: id, queue, priority of the lane that it should stand in, parent or '', then, of one that its limits park, name,
--       tenant, case and what limits it
-- Returns {how many are ahead in its lane, or -1 where it stands in none; 1 where they were counted, 0 where that is an
--         estimate; how many stand in the lanes above; how many of the queue run; who paused the queue and when (JSON)
--         or ''; how many children its parent still holds back, where it is one of them, else -1; how many are parked
--         ahead of it, or -1; how many run that take a slot which it waits for; ms of the rate's next slot or ''}.

local COUNTED_FROM_THE_HEAD = 500
local id, queue, priority, parent = unpack(ARGV, 1, 4)
local lane = queue .. '.' .. priority
local list = key.lane(lane)

-- A lane is in the order in which its tasks came into it, but for the few that were put back at its head.
local function came_in(other)
  local v = redis.call('HMGET', key.task(other), 'raised_at', 'queued', 'cseq')
  return tonumber(v[1] or v[2]) or 0, tonumber(v[3]) or 0
end

local function first_not_before(time, number)
  local low, high = 0, redis.call('LLEN', list)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local its_time, its_number = came_in(redis.call('LINDEX', list, middle))
    if its_time < time or (its_time == time and its_number < number) then low = middle + 1 else high = middle end
  end
  return low
end

local function ahead_in_lane()
  if redis.call('HEXISTS', key.messages(lane), id) == 0 then return -1, 1 end
  local counted = redis.call('LPOS', list, id, 'MAXLEN', COUNTED_FROM_THE_HEAD)
  if counted then return counted, 1 end
  if redis.call('LLEN', list) <= COUNTED_FROM_THE_HEAD then return -1, 1 end
  local place = first_not_before(came_in(id))
  return place, redis.call('LINDEX', list, place) == id and 1 or 0
end

local function waiting_above()
  local waiting = 0
  for _, other in ipairs(PRIORITIES_DOWN) do
    if other == priority then return waiting end
    waiting = waiting + redis.call('LLEN', key.lane(queue .. '.' .. other))
  end
  return waiting
end

local function running_of_queue()
  local running = 0
  for _, other in ipairs(PRIORITIES_DOWN) do
    local name = queue .. '.' .. other
    running = running + math.max(0, redis.call('HLEN', key.messages(name)) - redis.call('LLEN', key.lane(name)))
  end
  return running
end

local function held_back()
  if parent == '' or not redis.call('LPOS', key.held(parent), id) then return -1 end
  return redis.call('LLEN', key.held(parent))
end

-- Ahead of it among those that are parked with it, how many run, and when the rate has room.
local function at_its_limit()
  local parked = {name = ARGV[5], queue = queue, tenant = ARGV[6], case = ARGV[7], limiter = ARGV[8] or ''}
  if parked.limiter == '' then return -1, 0, '' end
  local slots = parked.limiter == 'case' and key.slots_of_case(parked.name, parked.tenant, parked.case)
    or key.slots(parked.name)
  local rank = redis.call('ZRANK', parked_at(parked), id)
  return rank or -1, redis.call('SCARD', slots), redis.call('GET', key.next_slot(parked.name)) or ''
end

local ahead, is_counted = ahead_in_lane()
local parked_ahead, in_use, next_slot = at_its_limit()
return {ahead, is_counted, waiting_above(), running_of_queue(), redis.call('HGET', key.paused(), queue) or '',
  ahead < 0 and held_back() or -1, parked_ahead, in_use, next_slot}
