-- Gives back what a live worker is said to hold but doesn't know of: the answer to a fetch was lost on the way.
-- ARGV: worker, number of lanes, the lanes, then the ids that the worker does hold
-- Returns how many went back to the head of their lane.

local worker, lanes = ARGV[1], tonumber(ARGV[2])
local held = {}
for i = 3 + lanes, #ARGV do held[ARGV[i]] = true end

local reclaimed = 0
for i = 3, 2 + lanes do
  local acks = key.acks(worker, ARGV[i])
  for _, id in ipairs(redis.call('SMEMBERS', acks)) do
    local task = not held[id] and load(id)
    if not held[id] then redis.call('SREM', acks, id) end
    if task and (task.status == 'queued' or task.awaiting == 'due') then
      push(task, true)
      reclaimed = reclaimed + 1
    end
  end
end
return reclaimed
