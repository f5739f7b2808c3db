-- A failed or cancelled task runs again under its own id, with a fresh set of attempts.
-- ARGV: id, tenant ('*': any), allowed states, then as of `cancel` from the versions on, then
--       held ('1': a child that its parent runs again: it waits for its turn)
-- Returns {'queued'}, or what hinders it, as `cancel` does.

local id, tenant, states, seen, digest, fingerprint, ttl, line = unpack(ARGV, 1, 8)
local is_held = ARGV[9] == '1'
local task = load(id)
if not task or (tenant ~= '*' and task.tenant ~= tenant) then return {'gone'} end
local hindered = hindrance(task, states, seen, digest, fingerprint)
if hindered then
  note(task.tenant, line, hindered[1], id)
  return hindered
end

run_again(task, is_held)
note(task.tenant, line, 'queued', id)
remember_answer(task.tenant, digest, fingerprint, 'queued', ttl)
return {'queued'}
