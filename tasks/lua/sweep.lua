-- Looks for what has gone astray, a few hundred records at a time; or looks again at what was found, and mends it.
-- ARGV: 'tasks', tenant, status, where to go on ('' at first), how many
--         -> {where to go on or '', kind, id, place, state, ...}: the tasks of one status, in the order of their making
--       'members' or 'listed', a sorted set, rank to go on from, how many (of 'listed' also whether each task is
--         listed under its status)
--       'lane', a list, rank to go on from, how many
--       'messages', a hash, cursor to go on from, how many
--         -> the same
--       'again', '1' (mend it) or '', retention in ms, then kind, id, place, state of each
--         -> the numbers, from 1, of those that are as they were found
-- A place is the key that something is listed in; of 'acks' it is the lane and the id is the worker.

local ENOUGH = 20000
local finds = {}

local function found(kind, id, place, state)
  for _, part in ipairs({kind, id, place or '', state or ''}) do finds[#finds + 1] = part end
end

local function answer(following)
  table.insert(finds, 1, following and tostring(following) or '')
  return finds
end

local function record_is_gone(id)
  return redis.call('EXISTS', key.task(id)) == 0
end

-- ------------------------------------------------------------------------------------------------- looking

local function look_at(id, tenant, status)
  local task = load(id)
  local place = key.by_status(tenant, status)
  if not task then return found('member', id, place) end
  if task.status ~= status then return found('misfiled', id, place, state_of(task)) end
  local kind = find_astray(task)
  if kind then found(kind, id, '', state_of(task)) end
end

local function look_at_tasks(tenant, status, after, most)
  local from = after == '' and '-inf' or '(' .. after
  local rows = redis.call('ZRANGEBYSCORE', key.by_status(tenant, status), from, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  for i = 1, #rows, 2 do
    look_at(rows[i], tenant, status)
    if looked_at > ENOUGH then return answer(rows[i + 1]) end
  end
  return answer(#rows == 2 * tonumber(most) and rows[#rows])
end

local function by_rank(ids, rank, most, look)
  for _, id in ipairs(ids) do look(id) end
  return answer(#ids == tonumber(most) and whole(rank + #ids))
end

local function ranks(rank, most)
  return rank, rank + most - 1
end

local function look_at_members(zset, rank, most)
  return by_rank(redis.call('ZRANGE', zset, ranks(rank, most)), rank, most, function(id)
    if record_is_gone(id) then found('member', id, zset) end
  end)
end

local function look_at_listed(index, rank, most)
  return by_rank(redis.call('ZRANGE', index, ranks(rank, most)), rank, most, function(id)
    local task = load(id)
    if not task then return found('member', id, index) end
    local is_filed = redis.call('ZSCORE', key.by_status(task.tenant, task.status), id)
    if not is_filed then found('unindexed', id, '', state_of(task)) end
  end)
end

local function look_at_lane(list, rank, most)
  return by_rank(redis.call('LRANGE', list, ranks(rank, most)), rank, most, function(id)
    if record_is_gone(id) then found('stray', id, list) end
  end)
end

local function look_at_messages(messages, cursor, most)
  local page = redis.call('HSCAN', messages, cursor, 'COUNT', most)
  for i = 1, #page[2], 2 do
    if record_is_gone(page[2][i]) then found('message', page[2][i], messages) end
  end
  return answer(page[1] ~= '0' and page[1])
end

-- ---------------------------------------------------------------------------------------------- once more

-- Finds that aren't about a record: what makes each one true still, and what removes it.
local THINGS = {
  member = {is_so = record_is_gone, mend = function(id, zset) redis.call('ZREM', zset, id) end},
  message = {is_so = record_is_gone, mend = function(id, messages) redis.call('HDEL', messages, id) end},
  stray = {is_so = record_is_gone, mend = function(id, list)
    redis.call('LREM', list, 0, id)
    redis.call('HDEL', list .. '.msgs', id)
  end},
  acks = {is_so = function(worker, lane)
    return not is_listed(worker) and redis.call('EXISTS', key.acks(worker, lane)) == 1
  end, mend = empty_acks},
}

local function is_unindexed(task)
  return not redis.call('ZSCORE', key.by_status(task.tenant, task.status), task.id)
end

local function unfile(task, index)
  redis.call('ZREM', index, task.id)
  cure.unindexed(task)
end

local function is_misfiled(task, index)
  return redis.call('ZSCORE', index, task.id) and index ~= key.by_status(task.tenant, task.status)
end

local function is_so(task, kind, place)
  if kind == 'unindexed' then return is_unindexed(task) end
  if kind == 'misfiled' then return is_misfiled(task, place) end
  return find_astray(task) == kind
end

local function mend_task(task, kind, place, retention)
  if kind == 'misfiled' then return unfile(task, place) end
  cure[kind](task, retention)
end

local function once_more(kind, id, place, state, mends, retention)
  local thing = THINGS[kind]
  if thing then
    local so = thing.is_so(id, place)
    if so and mends then thing.mend(id, place, retention) end
    return so
  end
  local task = load(id)
  local so = task and state_of(task) == state and is_so(task, kind, place)
  if so and mends then mend_task(task, kind, place, retention) end
  return so
end

local function again(mends, retention)
  local numbers_of = {}
  for i = 4, #ARGV, 4 do
    if once_more(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], mends, retention) then
      numbers_of[#numbers_of + 1] = i / 4
    end
  end
  return numbers_of
end

local way = ARGV[1]
begin_looking(way == 'again')
if way == 'again' then return again(ARGV[2] == '1', tonumber(ARGV[3])) end
if way == 'tasks' then return look_at_tasks(ARGV[2], ARGV[3], ARGV[4], ARGV[5]) end
local LOOKS = {members = look_at_members, listed = look_at_listed, lane = look_at_lane, messages = look_at_messages}
return LOOKS[way](ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
