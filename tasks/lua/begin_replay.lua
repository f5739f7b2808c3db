-- Begins a gradual replay: the dead letters that it is of, as they were seen, and that no other replays the same.
-- It counts for the time of a short TTL, within which its task has to be queued.
-- ARGV: id, group (a digest of the filter), fingerprint of the request, TTL in s, tenant and audit line of who asks,
--       number of fields, then these (name, value), then each dead letter (id, a space, its version)
-- Returns {'begun'}; {'known'} where the same request has begun it, {'mismatch'} where another one has; {'taken', id}
--         where the group is being replayed, {'full'} where too many replays run.

local id, group, fingerprint, ttl, tenant, line = unpack(ARGV, 1, 6)
local RUNNING_AT_MOST, LISTED, LISTED_S = 20, 100, 7 * 86400
local FIELDS_FROM = 8
local name, waiting = key.replay(id), key.replay_waiting(id)

-- Whether somebody still sees to it: its task, or whoever is about to queue that.
local function is_alive(other)
  local state = redis.call('HGET', key.replay(other), 'state')
  if state ~= 'running' then return false end
  local status = redis.call('HGET', key.task(other), 'status')
  return status and not FINAL[status] or not status and redis.call('TTL', key.replay(other)) <= tonumber(ttl)
end

local known = redis.call('HGET', name, 'request')
if known then return {known == fingerprint and 'known' or 'mismatch'} end
local groups = redis.call('HGETALL', key.replay_groups())
for i = 1, #groups, 2 do
  if not is_alive(groups[i + 1]) then
    redis.call('HDEL', key.replay_groups(), groups[i])
  elseif groups[i] == group then
    note(tenant, line, 'refused', id)
    return {'taken', groups[i + 1]}
  end
end
if redis.call('HLEN', key.replay_groups()) >= RUNNING_AT_MOST then
  note(tenant, line, 'refused', id)
  return {'full'}
end

local letters_from = FIELDS_FROM + 2 * tonumber(ARGV[7])
redis.call('HSET', name, 'group', group, 'request', fingerprint, 'began', whole(now()),
  unpack(ARGV, FIELDS_FROM, letters_from - 1))
redis.call('EXPIRE', name, ttl)
for i = letters_from, #ARGV, 500 do
  redis.call('RPUSH', waiting, unpack(ARGV, i, math.min(i + 499, #ARGV)))
end
redis.call('EXPIRE', waiting, ttl)
if redis.call('HGET', name, 'state') == 'running' then redis.call('HSET', key.replay_groups(), group, id) end
redis.call('ZADD', key.replays(), now(), id)
redis.call('ZREMRANGEBYRANK', key.replays(), 0, -LISTED - 1)
redis.call('EXPIRE', key.replays(), LISTED_S)
note(tenant, line, 'begun', id)
return {'begun'}
