-- Tells that a worker lives, and what it is.
-- ARGV: worker, description (JSON), TTL of the description in ms

redis.call('ZADD', key.heartbeats(), now(), ARGV[1])
redis.call('SET', key.worker(ARGV[1]), ARGV[2], 'PX', ARGV[3])
return now()
