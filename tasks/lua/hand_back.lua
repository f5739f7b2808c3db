-- Gives back what a worker holds and will not do: it stops, or it heard nothing of a start.
-- ARGV: worker, lane, id, retention in ms
-- Returns 'done'; 'lost' where the worker no longer held it.

local worker, lane, id, retention = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('SREM', key.acks(worker, lane), id) == 0 then return 'lost' end
give_back(id, lane, worker, 'shutdown', retention)
return 'done'
