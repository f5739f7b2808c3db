-- Marks a task as to be forgotten: at once where it has ended, else as soon as it ends.
-- ARGV: id, tenant
-- Returns 'now', 'later' or 'gone'.

local task = load(ARGV[1])
if not task or task.tenant ~= ARGV[2] then return 'gone' end
if FINAL[task.status] then
  redis.call('ZADD', key.expiring(), 0, task.id)
  return 'now'
end
set(task, 'forget', '1')
save(task)
return 'later'
