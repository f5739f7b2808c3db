-- Makes what parents know of their children agree with the children that a restore has written back.
-- ARGV: what to do ('count': before anything is queued; 'go on': after that), then ids of tasks that may be parents
-- Returns how many of them still wait for children.

local what, waiting = ARGV[1], 0

-- Those that ended and were forgotten before the backup are known by their place among the results alone.
local function forgotten(id)
  local gone = 0
  for _, child in ipairs(redis.call('ZRANGE', key.ended(id), 0, -1)) do
    if redis.call('EXISTS', key.task(child)) == 0 then gone = gone + 1 end
  end
  return gone
end

local function list_ends(id)
  local ended = key.ended(id)
  for _, child in ipairs(redis.call('ZRANGE', key.children(id), 0, -1)) do
    if FINAL[redis.call('HGET', key.task(child), 'status')] then
      redis.call('ZADD', ended, 'NX', redis.call('ZCARD', ended), child)
    end
  end
end

local function count_all(id)
  looked_at = 0
  local counts, gone = counted_children({id = id, kids_total = '0'}), forgotten(id)
  if counts.total + gone == 0 then return redis.call('HDEL', key.task(id), 'kids_total') end
  redis.call('HSET', key.task(id), 'kids_total', counts.total + gone, 'kids_succeeded', counts.succeeded + gone,
    'kids_failed', counts.failed, 'kids_cancelled', counts.cancelled, 'kids_running', counts.running,
    'kids_retrying', counts.retrying)
end

local function expire_with_parent(id)
  local expires = redis.call('PEXPIRETIME', key.task(id))
  if expires <= 0 then return end
  for _, name in ipairs({key.children(id), key.ended(id)}) do redis.call('PEXPIREAT', name, expires) end
end

for i = 2, #ARGV do
  local id = ARGV[i]
  local parent = load(id)
  if parent and FINAL[parent.status] then
    expire_with_parent(id)
  elseif parent and what == 'count' then
    list_ends(id)
    count_all(id)
  elseif parent and parent.awaiting == '1' then
    waiting = waiting + 1
    if parent.paused == '' then draw_child(id) end
    tell_parent(id)
  end
end
return waiting
