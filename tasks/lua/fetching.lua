-- A worker takes the most urgent tasks of several queues, and their runs begin: nothing lies fetched and unbegun.

local PRIORITIES_DOWN = {'critical', 'high', 'normal', 'low'}
local REMEMBERED_AT_MOST = 64
local DROPPED_AT_ONCE = 100

-- The lists of some queues in the order in which they are looked at: a lane comes only after every lane above it, of
-- all these queues. Built once per order of queues, for two dozen keys take longer to spell than to look up.
local remembered, how_many = {}, 0

local function lists_of(queues)
  local signature = NS .. ' ' .. table.concat(queues, ' ')
  local known = remembered[signature]
  if known then return known end
  if how_many >= REMEMBERED_AT_MOST then remembered, how_many = {}, 0 end
  known = {lists = {}, lane_of = {}}
  for _, priority in ipairs(PRIORITIES_DOWN) do
    for _, queue in ipairs(queues) do
      local lane = queue .. '.' .. priority
      known.lists[#known.lists + 1] = key.lane(lane)
      known.lane_of[key.lane(lane)] = lane
    end
  end
  known.pop = {'LMPOP', #known.lists, unpack(known.lists)}
  known.pop[#known.pop + 1] = 'LEFT'
  known.pop[#known.pop + 1] = 'COUNT'
  remembered[signature], how_many = known, how_many + 1
  return known
end

-- Those of the lists that are more urgent than a rank, 0 for critical.
local function lists_above(known, rank, queues)
  local count = rank * #queues
  if count == 0 then return nil end
  local pop = {'LMPOP', count, unpack(known.lists, 1, count)}
  pop[#pop + 1] = 'LEFT'
  return pop
end

local function without_paused(queues)
  if redis.call('EXISTS', key.paused()) == 0 then return queues end
  local going = {}
  for _, queue in ipairs(queues) do
    if redis.call('HEXISTS', key.paused(), queue) == 0 then going[#going + 1] = queue end
  end
  return going
end

-- What a child's parent has to say when the child is about to begin: 'begin'; 'cancel' where the parent has ended or
-- gives up at the first failure; 'hold' where enough of its children run, or it is paused. A child that was run again
-- by itself is nobody's business but its own.
local function word_of_parent(task)
  local parent_key = key.task(task.parent)
  local parent = redis.call('HMGET', parent_key, 'status', 'aborted', 'kids_running', 'paused')
  if not parent[1] or redis.call('HEXISTS', key.task(task.id), 'alone') == 1 then return 'begin' end
  if FINAL[parent[1]] or parent[2] == '1' then return 'cancel' end
  if parent[4] then return 'hold' end
  return (tonumber(parent[3]) or 0) < room_of(parent_key) and 'begin' or 'hold'
end

local function hold_back(task)
  redis.call('HDEL', key.messages(task.lane), task.id)
  lower(task)
  save(task)
  redis.call('LPUSH', key.held(task.parent), task.id)
end

-- A parent whose children have ended goes on where it stopped: for those who watch, it never stopped running.
local function begin_or_go_on(task, worker)
  set(task, 'run', task.run + 1)
  set(task, 'attempt', task.retries + 1)
  set(task, 'worker', worker)
  unset(task, 'eta', 'awaiting')
  if task.status == 'running' then return end
  unset(task, 'progress', 'progress_message', 'progress_seq')
  if task.queued ~= '' then count_duration(task, 'wait', task.queued) end
  set(task, 'started', whole(now()))
  move(task, 'running')
  tell(task, 'running', '{"run":' .. task.run .. ',"attempt":' .. (task.retries + 1) .. ',"worker":"' .. worker .. '"}')
end

-- What the limits of its type say of a task that is about to begin: true where it may, and then it has its slots.
local function may_begin(task, limits)
  local limit = limits and limits.of[task.name]
  if not limit or task.status == 'running' then return true end
  local limiter = what_limits(task, limit)
  if limiter then return park(task, limiter, limits) end
  take_slots(task, limit)
  return true
end

-- Begins the next run of what stood in a lane, or was parked; nil where there is nothing to run: an id without a task,
-- one that stood there twice and runs already, a child whose parent has another word for it, a task that its limits
-- park.
local function begin_run(id, lane, worker, states, retention, limits)
  local task = load(id, true)
  if not task then
    redis.call('HDEL', key.messages(lane), id)
    return nil
  end
  local resumes = task.awaiting == 'due'
  if not allowed(task, states) or (task.status == 'running' and not resumes) then return nil end
  local was_parked = task.limiter ~= ''
  if was_parked then
    unpark(task)
    redis.call('HSET', key.messages(lane), id, ticket(task))
  end
  local word = task.parent == '' and 'begin' or word_of_parent(task)
  if word ~= 'begin' and was_parked then pass_turn(task) end
  if word == 'hold' then return hold_back(task) end
  if word == 'cancel' then
    redis.call('HDEL', key.messages(lane), id)
    return cancelled(task, retention)
  end
  if not may_begin(task, limits) then return nil end
  redis.call('SADD', key.acks(worker, lane), id)
  begin_or_go_on(task, worker)
  save(task)
  local case_key = task.case ~= '' and redis.call('GET', key.case_key(task.tenant, task.case)) or ''
  return {id, task.name, lane, task.run, task.payload, task.options, task.tenant, task.case, task.parent,
    task.retries, case_key}
end

local function set_of(queues)
  local members = {}
  for _, queue in ipairs(queues) do members[queue] = true end
  return members
end

-- One step of a fetch where types are limited: the next parked task, unless something more urgent stands in a lane; nil
-- where no parked one may begin. Returns as LMPOP does.
local function take_by_limits(known, queues, limits)
  local parked, rank = next_parked(limits, set_of(queues))
  if not parked then return nil end
  local pop = lists_above(known, rank, queues)
  local taken = pop and redis.call(unpack(pop))
  if taken then return taken, known.lane_of[taken[1]] end
  limits_eased = nil
  return {'', {parked.id}}, parked.lane
end

-- Returns the runs that begin. What doesn't begin is bounded too: of a batch that gave up, each child that is dropped
-- draws the next one.
local function fetch(worker, states, retention, most, limits, asked)
  local begun, taken_at_most = {}, most + DROPPED_AT_ONCE
  local queues = without_paused(asked)
  local known = lists_of(queues)
  local counted = #known.pop + 1
  while #begun < most and #known.lists > 0 do
    if taken_at_most <= 0 then
      redis.call('PUBLISH', key.bell(), 'more')
      break
    end
    local taken, lane
    if limits then taken, lane = take_by_limits(known, queues, limits) end
    if not taken then
      known.pop[counted] = most - #begun
      taken = redis.call(unpack(known.pop, 1, counted))
    end
    if not taken then break end
    lane = lane or known.lane_of[taken[1]]
    taken_at_most = taken_at_most - #taken[2]
    for _, id in ipairs(taken[2]) do begun[#begun + 1] = begin_run(id, lane, worker, states, retention, limits) end
  end
  known.pop[counted] = nil
  return begun
end

-- From this place on, the arguments are those of `fetch`; nothing is fetched where there are none.
local function fetch_as_asked(arguments, from)
  if not arguments[from] then return {} end
  local worker, states, retention, most, limits = unpack(arguments, from, from + 4)
  local queues = {unpack(arguments, from + 5)}
  return fetch(worker, states, tonumber(retention), tonumber(most), parse_limits(limits), queues)
end

-- What the end of a run answers: how it went, and what its worker, whose thread is free now, is to do next.
local function ended(verdict, arguments, from)
  return {verdict, unpack(fetch_as_asked(arguments, from))}
end
