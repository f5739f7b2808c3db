-- Which ended tasks are to be forgotten: the caller deletes their files, then expires them.
-- ARGV: how many at most
-- Returns {id, tenant, ...}.

local report = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.expiring(), '-inf', now(), 'LIMIT', 0, tonumber(ARGV[1]))) do
  report[#report + 1] = id
  local task = load(id)
  report[#report + 1] = task and task.tenant or ''
end
return report
