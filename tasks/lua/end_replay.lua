-- Moves a gradual replay on to its next step, or ends it.
-- ARGV: id, the step that the caller has seen it in ('' for any), state ('running' for the next step), reason or '',
--       tenant and audit line of who asks, or '' for those who began it, TTL in s
-- Returns {'moved'}; {'over', its state} where it has ended, {'elsewhere'} where it is in another step, {'gone'}.

local id, step, state, reason, tenant, line, ttl = unpack(ARGV, 1, 7)
local name = key.replay(id)
local r = redis.call('HMGET', name, 'state', 'step', 'group', 'tenant', 'ends')
if not r[1] then return {'gone'} end
if r[1] ~= 'running' then return {'over', r[1]} end
if step ~= '' and r[2] ~= step then return {'elsewhere'} end

redis.call('HSET', name, 'ended:' .. r[2], whole(now()))
redis.call('EXPIRE', name, ttl)
if state == 'running' then
  redis.call('HINCRBY', name, 'step', 1)
  return {'moved'}
end
redis.call('HSET', name, 'state', state, 'reason', reason, 'ended', whole(now()),
  'left', redis.call('LLEN', key.replay_waiting(id)), 'going', redis.call('ZCARD', key.replay_going(id)))
redis.call('DEL', key.replay_waiting(id), key.replay_going(id))
if redis.call('HGET', key.replay_groups(), r[3]) == id then redis.call('HDEL', key.replay_groups(), r[3]) end
note(tenant ~= '' and tenant or r[4], line ~= '' and line or r[5], state, id)
return {'moved'}
