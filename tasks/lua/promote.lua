-- Puts every delayed task whose time has come into its lane.
-- ARGV: allowed states, how many at most
-- Returns {how many, ms until the next one is due or -1}.

local states, most = ARGV[1], tonumber(ARGV[2])
local ids = redis.call('ZRANGEBYSCORE', key.delayed(), '-inf', now(), 'LIMIT', 0, most)
for _, id in ipairs(ids) do
  local task = load(id)
  if task and allowed(task, states) then
    undelay(task)
    set(task, 'queued', whole(now()))
    unset(task, 'eta')
    move(task, 'queued')
    push(task)
    tell(task, 'queued', '')
    save(task)
  else
    redis.call('ZREM', key.delayed(), id)
  end
end
local following = redis.call('ZRANGE', key.delayed(), 0, 0, 'WITHSCORES')
return {#ids, following[2] and math.max(0, tonumber(following[2]) - now()) or -1}
