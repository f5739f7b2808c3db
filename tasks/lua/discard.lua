-- Gives up a dead letter: it is forgotten as what has expired is, files first.
-- ARGV: id, tenant ('*': any), versions that the caller has seen ('' for no condition), audit line or ''
-- Returns {'discarded'}; {'held'} where a hold keeps its case; else what hinders it, as `cancel` does.

local id, tenant, seen, line = unpack(ARGV)
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
local hindered = hindrance(task, 'failed', seen, '', '')
if not hindered and task.case ~= '' and redis.call('EXISTS', key.case_hold(task.tenant, task.case)) == 1 then
  hindered = {'held'}
end
if not hindered then redis.call('ZADD', key.expiring(), 0, id) end
note(task.tenant, line, hindered and hindered[1] or 'discarded', id)
return hindered or {'discarded'}
