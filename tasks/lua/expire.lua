-- Forgets ended tasks whose time is over, with everything that points to them.
-- ARGV: how many at most
-- Returns {how many, places of large results...}: the caller deletes those files.

local ids = redis.call('ZRANGEBYSCORE', key.expiring(), '-inf', now(), 'LIMIT', 0, tonumber(ARGV[1]))
local report = {#ids}
for _, id in ipairs(ids) do
  local task = load(id)
  if task then
    local place = redis.call('HGET', key.task(id), 'result_place')
    if place then report[#report + 1] = place end
    unbury(task)
    redis.call('ZREM', key.index(task.tenant), id)
    redis.call('ZREM', key.by_status(task.tenant, task.status), id)
    redis.call('ZREM', key.by_name(task.tenant, task.name), id)
    if task.case ~= '' then redis.call('ZREM', key.by_case(task.tenant, task.case), id) end
    if task.parent ~= '' then redis.call('ZREM', key.children(task.parent), id) end
    redis.call('DEL', key.task(id), key.children(id), key.held(id))
  end
  redis.call('ZREM', key.expiring(), id)
end
return report
