-- A worker leaves: what it still holds is given back, and it is no longer listed.
-- ARGV: worker, retention in ms, then every lane

local worker, retention = ARGV[1], tonumber(ARGV[2])
for i = 3, #ARGV do
  for _, id in ipairs(redis.call('SMEMBERS', key.acks(worker, ARGV[i]))) do
    give_back(id, ARGV[i], worker, 'shutdown', retention)
  end
  redis.call('DEL', key.acks(worker, ARGV[i]))
end
redis.call('ZREM', key.heartbeats(), worker)
redis.call('DEL', key.worker(worker))
if redis.call('GET', key.chores()) == worker then redis.call('DEL', key.chores()) end
return 1
