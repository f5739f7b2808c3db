-- Keeps lines that the actor of a run has logged, in the task's record: so they are kept, backed up and erased with it.
-- The oldest leave where there are too many, and it is counted how many lines that were.
-- ARGV: id, run, worker, allowed states, number of this part within the run, how many lines it stands for,
--       the lines (sealed, in base64)
-- Returns 'kept', also where this part was kept before; 'lost' where the run was superseded or the task is to be
-- forgotten.

local LINES_BYTES = 32768

local id, run, worker, states, number, lines, part = unpack(ARGV)
local task = load(id)
if not holds(task, run, worker, states) or task.forget == '1' then return 'lost' end

local kept = redis.call('HGET', key.task(id), 'lines') or ''
local trimmed, rest = string.match(kept, '^trimmed (%d+)\n(.*)$')
trimmed, rest = tonumber(trimmed or 0), rest or kept

-- Patterns that aren't anchored at the start would be tried at each of its bytes.
local last = string.match(rest, '^.*\n(.*)$') or rest
local last_run, last_number = string.match(last, '^([^.]+)%.([^.]+)%.')
if last_run == run and tonumber(last_number) >= tonumber(number) then return 'kept' end

rest = (rest == '' and '' or (rest .. '\n')) .. run .. '.' .. number .. '.' .. lines .. ' ' .. part
while #rest > LINES_BYTES do
  local gone, following = string.match(rest, '^[^.]+%.[^.]+%.(%d+) [^\n]*\n(.*)$')
  if not gone then break end
  trimmed, rest = trimmed + tonumber(gone), following
end
redis.call('HSET', key.task(id), 'lines', (trimmed > 0 and ('trimmed ' .. whole(trimmed) .. '\n') or '') .. rest)
return 'kept'
