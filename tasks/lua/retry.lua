-- Ends a run that failed and will be repeated: the record, the wait and the ack in one step.
-- ARGV: id, run, worker, lane, allowed states, delay in ms, error (JSON), retention in ms,
--       counted ('1' uses up a retry; '' is a wait that was nobody's failure), what it achieved so far (JSON) or '',
--       place of that where it is large or '', what it waits for (such as `breaker llm`) or '',
--       then as of `succeed`
-- Returns as `succeed`.

local id, run, worker, lane, states, wait, problem, retention, counted = unpack(ARGV, 1, 9)
local result, place, waits_for = ARGV[10], ARGV[11], ARGV[12]
local task = load(id)
if not holds(task, run, worker, states) then
  give_up_hold(task, id, worker, lane)
  return ended(ended_before(task, run, worker, 'retrying'), ARGV, 13)
end

settle(task, worker)
if task.cancel == '1' then
  cancelled(task, tonumber(retention))
  return ended('done', ARGV, 13)
end

local due, attempt = now() + tonumber(wait), task.retries + 1
if problem ~= '' then set(task, 'error', problem) end
keep_achieved(task, result, place)
if counted == '1' then set(task, 'retries', attempt) end
set(task, 'eta', whole(due))
lower(task)
move(task, 'retrying')
delay(task, due)
count(task, 'retried')
local told = {attempt = attempt, run = task.run, eta = due, progress = task.progress}
if waits_for ~= '' then told.waits_for = waits_for end
tell(task, 'retrying', cjson.encode(told), problem)
save(task)
return ended('done', ARGV, 13)
