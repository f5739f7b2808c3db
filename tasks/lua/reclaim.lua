-- Gives back what a live worker is said to hold but doesn't know of: an answer was lost on its way, or a run's end
-- could not be written.
-- ARGV: worker, retention in ms, number of lanes, the lanes, then the ids that the worker does hold
-- Returns how many were given back.

local worker, retention, lanes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local all, held, reclaimed = {}, {}, 0
for i = 4, 3 + lanes do all[#all + 1] = key.acks(worker, ARGV[i]) end
if redis.call('EXISTS', unpack(all)) == 0 then return 0 end

for i = 4 + lanes, #ARGV do held[ARGV[i]] = true end
for i, acks in ipairs(all) do
  for _, id in ipairs(redis.call('SMEMBERS', acks)) do
    if not held[id] then
      redis.call('SREM', acks, id)
      give_back(id, ARGV[3 + i], worker, 'worker lost it', retention)
      reclaimed = reclaimed + 1
    end
  end
end
return reclaimed
