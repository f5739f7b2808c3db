-- Gives back runs that a live worker is said to hold and doesn't know of: an answer was lost on its way, or a run's
-- end could not be written.
-- ARGV: worker, retention in ms, then lane, id and run of each
-- Returns how many were given back.

local worker, retention, reclaimed = ARGV[1], tonumber(ARGV[2]), 0
for i = 3, #ARGV, 3 do
  local lane, id, run = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local task = load(id)
  local is_the_one = not task or task.run == run
  if is_the_one and redis.call('SREM', key.acks(worker, lane), id) == 1 then
    give_back(id, lane, worker, 'worker lost it', retention)
    reclaimed = reclaimed + 1
  end
end
return reclaimed
