-- A worker leaves: it is no longer listed, and holds nothing any more.
-- ARGV: worker
redis.call('ZREM', key.heartbeats(), ARGV[1])
redis.call('DEL', key.worker(ARGV[1]))
return 1
