-- What lists of dead letters are made of, of many tasks at a time; it changes nothing. A whole record takes five times as
-- long to read, so that is done only where the version is wanted.
-- ARGV: '1' for the versions too, then ids
-- Returns of each: version or '', type of task, queue, when it ended (ms, or '') and its error (JSON), a line each; '' of
--         one that is no dead letter, or not kept any more.

local with_version = ARGV[1] == '1'
local FIRST_TWO_AND_FINISHED = '^([^\n]*)\n([^\n]*)\n' .. string.rep('[^\n]*\n', 12) .. '([^\n]*)\n'

local function fact_of(id)
  local v = redis.call('HMGET', key.task(id), 'status', 'error', 'packed', 'name', 'queue', 'finished')
  if v[1] ~= 'failed' then return '' end
  local name, queue, finished = v[4], v[5], v[6]
  if v[3] then name, queue, finished = string.match(v[3], FIRST_TWO_AND_FINISHED) end
  local version = with_version and version_of(load(id)) or ''
  return table.concat({version, name or '', queue or '', finished or '', v[2] or ''}, '\n')
end

local facts = {}
for i = 2, #ARGV do facts[i - 1] = fact_of(ARGV[i]) end
return facts
