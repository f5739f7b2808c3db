-- What a caller may send along with a wish: the version of the record that it has seen, and a key with which it may
-- send the wish again where the answer was lost.

-- Another one after every change of the record; `Task.version` in record.py says the same.
local function version_of(task)
  local last = string.match('\n' .. task.log, '.*\n(%d+) ') or task.cseq
  if task.progress_seq ~= '' and tonumber(task.progress_seq) > tonumber(last) then last = task.progress_seq end
  local version = last .. '-' .. task.run .. (task.cancel == '1' and 'c' or '') .. (task.paused ~= '' and 'p' or '')
  if task.kids_total == '' then return version end
  local counted = {numbers(key.task(task.id), 'kids_total', 'kids_running', 'kids_succeeded', 'kids_failed',
    'kids_cancelled')}
  return version .. '-' .. table.concat(counted, '.')
end

-- `seen`: versions joined by commas, '*' for any, '' where the caller made no condition.
local function has_changed_since(task, seen)
  if seen == '' or seen == '*' then return false end
  return not string.find(',' .. seen .. ',', ',' .. version_of(task) .. ',', 1, true)
end

-- The answer that the same request got before; nil where the key is new, false where it came with another request.
local function answered_before(tenant, digest, fingerprint)
  if digest == '' then return nil end
  local known = redis.call('HMGET', key.idempotency(tenant, digest), 'fingerprint', 'ids')
  if not known[1] then return nil end
  return known[1] == fingerprint and known[2]
end

local function remember_answer(tenant, digest, fingerprint, answer, ttl)
  if digest == '' then return end
  local remembered = key.idempotency(tenant, digest)
  redis.call('HSET', remembered, 'fingerprint', fingerprint, 'ids', answer)
  redis.call('PEXPIRE', remembered, ttl)
end

-- What hinders a request that moves one task: an answer for its caller; nil where nothing does.
local function hindrance(task, states, seen, digest, fingerprint)
  local before = answered_before(task.tenant, digest, fingerprint)
  if before == false then return {'mismatch'} end
  if before then return {'replayed', before} end
  if not allowed(task, states) then return {'refused', task.status} end
  if has_changed_since(task, seen) then return {'changed'} end
end

-- The batch that is to be paused or resumed, and nil; or, where that can't be, the task, if there is one, and the answer.
local function batch_to_steer(arguments)
  local id, tenant, states, batch, seen = unpack(arguments, 1, 5)
  local task = load(id)
  if not task or (tenant ~= '*' and task.tenant ~= tenant) then return nil, {'gone'} end
  if task.name ~= batch then return task, {'other', task.name} end
  return task, hindrance(task, states, seen, '', '')
end

-- Who watches a batch that runs hears that it was paused or resumed: as progress, which is where it stands.
local function tell_of_pause(task)
  local total, good, bad, gone = numbers(key.task(task.id), 'kids_total', 'kids_succeeded', 'kids_failed',
    'kids_cancelled')
  if task.status == 'running' and total > 0 then
    local ended = good + bad + gone
    tell_progress(task, math.floor(1000 * ended / total) / 10, how_far(task, ended, total))
  end
  save(task)
end

-- What failed or was cancelled runs again under its own id, with a fresh set of attempts; one that `is_held` is a child,
-- and waits until its parent draws it.
local function run_again(task, is_held)
  unbury(task)
  redis.call('PERSIST', key.task(task.id))
  redis.call('ZREM', key.expiring(), task.id)
  for _, of_parent in ipairs({key.children(task.id), key.held(task.id), key.ended(task.id)}) do
    redis.call('PERSIST', of_parent)
  end
  unset(task, 'error', 'finished', 'started', 'attempt', 'retries', 'crashes', 'worker', 'cancel', 'progress',
    'progress_message', 'progress_seq', 'result', 'result_place', 'aborted', 'on_error', 'awaiting', 'alone')
  if task.kids_total ~= '' then set(task, 'requeued', '1') end
  if task.parent ~= '' and not is_held then set(task, 'alone', '1') end
  set(task, 'queued', whole(now()))
  lower(task)
  if is_held then redis.call('RPUSH', key.held(task.parent), task.id) end
  move(task, 'queued')
  if not is_held then push(task) end
  tell(task, 'queued', '{"requeued":true}')
  save(task)
end
