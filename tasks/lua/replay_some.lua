-- Replays the next dead letters of a gradual replay, up to where its step ends. What is replayed, and that this replay
-- did it, is written in one step: nobody is replayed twice, whatever is killed.
-- ARGV: id, step (from 1), how many are looked at, TTL in s
-- Returns how many were looked at; 0 where the step has no more, or it is not the step any more.

local id, step, most, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local name, waiting, going = key.replay(id), key.replay_waiting(id), key.replay_going(id)
local r = redis.call('HMGET', name, 'state', 'step', 'targets', 'replayed', 'line')
if r[1] ~= 'running' or r[2] ~= step then return 0 end

local targets = {}
for target in string.gmatch(r[3], '%d+') do targets[#targets + 1] = tonumber(target) end
local replayed, looked_at, done = tonumber(r[4]) or 0, 0, 0

-- One that somebody else has replayed, or discarded, since it was seen is passed over.
local function replay(letter)
  local task_id, version = string.match(letter, '^(%S+) (%S+)$')
  local task = load(task_id)
  if not task or task.status ~= 'failed' or has_changed_since(task, version) then return end
  run_again(task, false)
  note(task.tenant, r[5], 'queued', task_id)
  done = done + 1
  redis.call('ZADD', going, replayed + done, task_id)
end

while looked_at < most and replayed + done < targets[tonumber(step)] do
  local letter = redis.call('LPOP', waiting)
  if not letter then break end
  looked_at = looked_at + 1
  replay(letter)
end
redis.call('HINCRBY', name, 'replayed', done)
redis.call('HINCRBY', name, 'replayed:' .. step, done)
redis.call('HINCRBY', name, 'passed_over', looked_at - done)
redis.call('HSETNX', name, 'began:' .. step, whole(now()))
for _, kept in ipairs({name, waiting, going}) do redis.call('EXPIRE', kept, ttl) end
return looked_at
