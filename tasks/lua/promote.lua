-- Puts every delayed task whose time has come into its lane.
-- ARGV: allowed states, how many at most
-- Returns {how many, ms until the next one is due or -1}.

local states, most = ARGV[1], tonumber(ARGV[2])
local ids = redis.call('ZRANGEBYSCORE', key.delayed(), '-inf', NOW, 'LIMIT', 0, most)
for _, id in ipairs(ids) do
  local task = load(id)
  if task and allowed(task, states) then
    undelay(task)
    redis.call('HSET', key.task(id), 'queued', whole(NOW))
    redis.call('HDEL', key.task(id), 'eta')
    move(task, 'queued')
    push(task)
    tell(task, 'queued', '')
  else
    redis.call('ZREM', key.delayed(), id)
  end
end
local following = redis.call('ZRANGE', key.delayed(), 0, 0, 'WITHSCORES')
return {#ids, following[2] and math.max(0, tonumber(following[2]) - NOW) or -1}
