-- Forgets ended tasks whose time is over, with everything that points to them. Their files are gone already.
-- ARGV: the ids
-- Returns how many were forgotten; one that was queued again meanwhile is not.

local forgotten = 0

for _, id in ipairs(ARGV) do
  local due = redis.call('ZSCORE', key.expiring(), id)
  if due and tonumber(due) <= now() then
    local task = load(id)
    if task then forget_record(task) end
    redis.call('ZREM', key.expiring(), id)
    forgotten = forgotten + 1
  end
end
return forgotten
