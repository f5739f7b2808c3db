-- Queues what is due, takes back what dead workers held and, where asked, raises what has waited too long.
-- ARGV: the worker that must hold the lease ('': whoever asks), states that may become due, how many at most,
--       heartbeat timeout in ms, most crashes, retention in ms, ageing in ms ('': not now), number of lanes, the
--       lanes, the queues
-- Returns {ms until the next task is due or -1, ms until the next worker may be dead or -1, dead worker, tasks it
-- held, ...}.

local worker, states, most, timeout = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local most_crashes, retention, ageing = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local lanes, queues = {}, {}
for i = 9, 8 + ARGV[8] do lanes[#lanes + 1] = ARGV[i] end
for i = 9 + ARGV[8], #ARGV do queues[#queues + 1] = ARGV[i] end

-- A call that lay in the connection while the server stood still comes after its lease: the living have had no time
-- yet to say that they live.
if worker ~= '' and redis.call('GET', key.chores()) ~= worker then return {-1, -1} end

local report, until_death = reap_dead(timeout, most_crashes, retention, lanes)
if ageing then raise_aged(queues, ageing) end
return {promote_due(states, most), until_death, unpack(report)}
