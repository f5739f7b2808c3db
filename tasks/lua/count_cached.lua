-- Adds to the counts of what was known from before, and of what had to be made.
-- ARGV: id, known, made
-- Returns 1, or 0 where there is no such task.

local task = load(ARGV[1])
if not task then return 0 end
for what, by in pairs({cache_hits = tonumber(ARGV[2]), cache_misses = tonumber(ARGV[3])}) do
  if by > 0 then count(task, what, by) end
end
return 1
