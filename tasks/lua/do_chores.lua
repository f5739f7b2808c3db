-- Queues what is due, takes back what dead workers held, sees to what is parked and, where asked, raises what has waited
-- too long.
-- ARGV: the worker that must hold the lease ('': whoever asks), states that may become due, how many at most,
--       heartbeat timeout in ms, most crashes, retention in ms, ageing in ms ('': not now), limits as of `fetch`, number
--       of lanes, the lanes, the queues
-- Returns {ms until the next task is due or parked ones may begin, or -1, ms until the next worker may be dead or -1,
--          dead worker, tasks it held, ...}.

local worker, states, most, timeout = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local most_crashes, retention, ageing = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local lanes, queues = {}, {}
for i = 10, 9 + ARGV[9] do lanes[#lanes + 1] = ARGV[i] end
for i = 10 + ARGV[9], #ARGV do queues[#queues + 1] = ARGV[i] end

-- A call that lay in the connection while the server stood still comes after its lease: the living have had no time
-- yet to say that they live.
if worker ~= '' and redis.call('GET', key.chores()) ~= worker then return {-1, -1} end

local report, until_death = reap_dead(timeout, most_crashes, retention, lanes)
if ageing then raise_aged(queues, ageing) end
local due, turn = promote_due(states, most), tend_parked(parse_limits(ARGV[8]), ageing)
local nearest = due >= 0 and turn and math.min(due, turn) or turn or due
return {nearest, until_death, unpack(report)}
