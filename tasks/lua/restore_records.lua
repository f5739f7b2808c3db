-- Lists records that were written back by a restore: in the indexes, among the dead letters, among what expires. Where
-- they wait is `restore_live`'s business, and counting a parent's children that of `restore_families`.
-- ARGV: ids
-- Returns how many are there; a child that waits for a parent which isn't in the backup is dropped.

local function is_stray(task)
  return task.parent ~= '' and not FINAL[task.status] and redis.call('EXISTS', key.task(task.parent)) == 0
end

local function list_end(task)
  local expires = redis.call('PEXPIRETIME', key.task(task.id))
  redis.call('ZADD', key.expiring(), expires > 0 and expires - SPARE_MS or now(), task.id)
  if task.status == 'failed' then
    redis.call('ZADD', key.dead(task.lane), tonumber(task.finished) or now(), task.id)
    redis.call('HSET', key.dead_messages(task.lane), task.id, ticket(task))
  end
end

local function list(task)
  redis.call('SADD', key.tenants(), task.tenant)
  redis.call('ZADD', key.by_status(task.tenant, task.status), task.cseq, task.id)
  redis.call('ZADD', key.by_name(task.tenant, task.name), task.cseq, task.id)
  if task.case ~= '' then redis.call('ZADD', key.by_case(task.tenant, task.case), task.cseq, task.id) end
  if task.parent ~= '' then redis.call('ZADD', key.children(task.parent), task.cseq, task.id) end
  if FINAL[task.status] then list_end(task) end
end

local listed = 0

for _, id in ipairs(ARGV) do
  local task = load(id)
  if task and is_stray(task) then
    redis.call('DEL', key.task(id), key.ended(id))
  elseif task then
    list(task)
    listed = listed + 1
  end
end
return listed
