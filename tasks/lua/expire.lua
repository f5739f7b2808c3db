-- Forgets ended tasks whose time is over, with everything that points to them. Their files are gone already.
-- ARGV: the ids
-- Returns how many were forgotten; one that was queued again meanwhile is not.

local forgotten = 0

-- Their addresses are the client's words too. One that is being sent is forgotten when it ends.
local function forget_deliveries(task)
  for id in string.gmatch(redis.call('HGET', key.task(task.id), 'deliveries') or '', '[^,]+') do
    local delivery = load(id)
    if delivery then
      set(delivery, 'forget', '1')
      if FINAL[delivery.status] then
        redis.call('ZADD', key.expiring(), now(), id)
        save(delivery)
      elseif delivery.status == 'running' then
        save(delivery)
      else
        withdraw(delivery)
        cancelled(delivery, 0)
      end
    end
  end
end

local function forget(task)
  if task.callback ~= '' then forget_deliveries(task) end
  unbury(task)
  redis.call('ZREM', key.by_status(task.tenant, task.status), task.id)
  redis.call('ZREM', key.by_name(task.tenant, task.name), task.id)
  if task.case ~= '' then redis.call('ZREM', key.by_case(task.tenant, task.case), task.id) end
  if task.parent ~= '' then redis.call('ZREM', key.children(task.parent), task.id) end
  redis.call('DEL', key.task(task.id), key.children(task.id), key.held(task.id), key.ended(task.id))
end

for _, id in ipairs(ARGV) do
  local due = redis.call('ZSCORE', key.expiring(), id)
  if due and tonumber(due) <= now() then
    local task = load(id)
    if task then forget(task) end
    redis.call('ZREM', key.expiring(), id)
    forgotten = forgotten + 1
  end
end
return forgotten
