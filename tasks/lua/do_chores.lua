-- Queues what is due, takes back what dead workers held and, where asked, raises what has waited too long.
-- ARGV: states that may become due, how many at most, heartbeat timeout in ms, most crashes, retention in ms,
--       ageing in ms ('': not now), number of lanes, the lanes, the queues
-- Returns {ms until the next task is due or -1, dead worker, tasks it held, ...}.

local states, most, timeout = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local most_crashes, retention, ageing = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local lanes, queues = {}, {}
for i = 8, 7 + ARGV[7] do lanes[#lanes + 1] = ARGV[i] end
for i = 8 + ARGV[7], #ARGV do queues[#queues + 1] = ARGV[i] end

local report = reap_dead(timeout, most_crashes, retention, lanes)
if ageing then raise_aged(queues, ageing) end
table.insert(report, 1, promote_due(states, most))
return report
