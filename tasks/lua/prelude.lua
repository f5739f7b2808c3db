-- The library that every operation is part of: the record, and the steps that several moves share. `key.*` are
-- generated from tasks/keys.py; NS is the namespace, set for each call.

local RECENT_EVENTS = 10000
local LOG_BYTES = 16384
-- The record outlives its day of expiry, so that whoever forgets it still knows where it is listed.
local SPARE_MS = 30 * 86400000

-- ---------------------------------------------------------------------------------------------- the record

local FINAL = {succeeded = true, failed = true, cancelled = true}

local FIELDS = {'name', 'queue', 'priority', 'tenant', 'case', 'parent', 'cseq', 'status', 'run', 'retries',
  'crashes', 'attempt', 'worker', 'queued', 'started', 'eta', 'error', 'cancel', 'awaiting', 'raised', 'raised_at',
  'forget', 'progress', 'progress_seq', 'progress_message', 'kids_total', 'log', 'callback', 'paused', 'limiter',
  'slots'}
local READ, READ_TO_RUN = {'packed'}, {'packed'}
for i = 1, #FIELDS do READ[i + 1], READ_TO_RUN[i + 1] = FIELDS[i], FIELDS[i] end
READ_TO_RUN[#READ + 1], READ_TO_RUN[#READ + 2] = 'payload', 'options'

-- What has ended is read now and then and written hardly ever: its small fields become one, a line each, in this
-- order; a hash of few fields takes half of the memory. The last may hold any text. `record.py` reads both forms.
local PACKED = {'name', 'queue', 'priority', 'tenant', 'case', 'parent', 'cseq', 'run', 'retries', 'crashes',
  'attempt', 'worker', 'queued', 'started', 'finished', 'progress', 'progress_seq', 'progress_message'}
local NUMERIC = {run = true, retries = true, crashes = true, progress = true}

local function split(text, most)
  local parts, from = {}, 1
  for i = 1, most - 1 do
    local at = string.find(text, '\n', from, true)
    parts[i] = string.sub(text, from, at - 1)
    from = at + 1
  end
  parts[most] = string.sub(text, from)
  return parts
end

local function fill_from(task, packed)
  for i, value in ipairs(split(packed, #PACKED)) do task[PACKED[i]] = value end
  task.is_packed = true
end

-- The fields of a record that moves need, as a table; nil where there is no such task. Changes are collected with
-- `set` and `unset` and written by `save`, once per task. Payload and options are read only where a run begins.
-- Written out, because every operation does this: a table that is filled in a loop costs twice as much.
local function load(id, to_run)
  local v = redis.call('HMGET', key.task(id), unpack(to_run and READ_TO_RUN or READ))
  if not (v[1] or v[2]) then return nil end
  local task = {id = id, written = {}, removed = {}, payload = v[33], options = v[34],
    name = v[2] or '', queue = v[3] or '', priority = v[4] or '', tenant = v[5] or '', case = v[6] or '',
    parent = v[7] or '', cseq = v[8] or '', status = v[9] or '', run = v[10] or 0, retries = v[11] or 0,
    crashes = v[12] or 0, attempt = v[13] or '', worker = v[14] or '', queued = v[15] or '', started = v[16] or '',
    eta = v[17] or '', error = v[18] or '', cancel = v[19] or '', awaiting = v[20] or '', raised = v[21] or '',
    raised_at = v[22] or '', forget = v[23] or '', progress = v[24] or 0, progress_seq = v[25] or '',
    progress_message = v[26] or '', kids_total = v[27] or '', log = v[28] or '',
    callback = v[29] or '', paused = v[30] or '', limiter = v[31] or '', slots = v[32] or '', lane = '',
    is_packed = false}
  if v[1] then fill_from(task, v[1]) end
  task.run, task.retries = tonumber(task.run) or 0, tonumber(task.retries) or 0
  task.crashes, task.progress = tonumber(task.crashes) or 0, tonumber(task.progress) or 0
  task.lane = task.queue .. '.' .. (task.raised ~= '' and task.raised or task.priority)
  return task
end

local function set(task, field, value)
  local written = task.written
  written[#written + 1] = field
  written[#written + 1] = value
  task[field] = value
end

-- Fields that are not there cost nothing; those that `load` doesn't read are always removed.
local function unset(task, ...)
  for _, field in ipairs({...}) do
    if task[field] ~= '' then
      task.removed[#task.removed + 1] = field
      task[field] = NUMERIC[field] and 0 or ''
    end
  end
end

local IS_PACKED = {}
for i = 1, #PACKED do IS_PACKED[PACKED[i]] = true end

local function pack(task)
  local lines, removed, others, written = {}, task.removed, {}, task.written
  for i = 1, #PACKED do
    local field = PACKED[i]
    local value = task[field]
    if value and value ~= '' and value ~= 0 then
      lines[i] = value
      removed[#removed + 1] = field
    else
      lines[i] = ''
    end
  end
  for i = 1, #written, 2 do
    if not IS_PACKED[written[i]] then
      others[#others + 1] = written[i]
      others[#others + 1] = written[i + 1]
    end
  end
  others[#others + 1] = 'packed'
  others[#others + 1] = table.concat(lines, '\n')
  task.written = others
end

local function spread(task)
  for _, field in ipairs(PACKED) do
    local value = task[field]
    if value and value ~= '' and value ~= 0 then set(task, field, value) end
  end
  task.removed[#task.removed + 1] = 'packed'
  task.is_packed = false
end

local queue_delivery

local function save(task)
  if task.is_packed and not FINAL[task.status] then spread(task) end
  if task.has_ended then
    if task.callback ~= '' then queue_delivery(task) end
    pack(task)
  end
  if #task.removed > 0 then redis.call('HDEL', key.task(task.id), unpack(task.removed)) end
  if #task.written > 0 then redis.call('HSET', key.task(task.id), unpack(task.written)) end
  task.written, task.removed, task.has_ended = {}, {}, false
end

local function allowed(task, states)
  return string.find(',' .. states .. ',', ',' .. task.status .. ',', 1, true) ~= nil
end

-- ----------------------------------------------------------------------------------------------- telling

-- A log that is too long loses its middle. In its place stands the number of the last event that was lost, so that
-- whoever has one before it can be told.
local function with_line(log, line)
  log = log == '' and line or (log .. '\n' .. line)
  if #log <= LOG_BYTES then return log end
  local first = string.match(log, '^[^\n]*')
  local kept = string.match(string.sub(log, -LOG_BYTES / 2), '\n(.*)$') or line
  local last_lost = string.match(string.sub(log, 1, -#kept - 2), '([^\n ]+)[^\n]*$')
  return first .. '\n' .. last_lost .. ' trimmed \n' .. kept
end

local function publish(task, seq, event, extra, tail)
  local head = table.concat({seq, event, task.id, task.name, task.case, extra}, '\n')
  local message = head .. '\n' .. (tail or '')
  redis.call('PUBLISH', key.task_events(task.id), message)
  if task.case ~= '' then redis.call('PUBLISH', key.case_events(task.tenant, task.case), message) end
  redis.call('PUBLISH', key.tenant_events(task.tenant), message)
  return head
end

-- Writes an event into the task's log and tells every watcher. `extra` is JSON or ''; `tail` (an error, JSON) goes to
-- those who watch now and is kept in the record, not in the log.
local function tell(task, event, extra, tail, seq)
  seq = seq or next_seq()
  set(task, 'log', with_line(task.log, seq .. ' ' .. event .. ' ' .. extra))
  local head = publish(task, seq, event, extra, tail)
  redis.call('XADD', key.recent(task.tenant), 'MAXLEN', '~', RECENT_EVENTS, seq .. '-0', 'e', head)
end

-- Progress is told but not logged: of progress only the latest is kept.
local function tell_progress(task, percent, message)
  local seq = next_seq()
  local extra = cjson.encode({progress = percent, progress_message = message, attempt = task.retries + 1})
  set(task, 'progress', percent)
  set(task, 'progress_message', message)
  set(task, 'progress_seq', seq)
  publish(task, seq, 'progress', extra)
end

-- ------------------------------------------------------------------------------------------------- audit

local UNCHAINED_AT_MOST = 200000

-- Notes for the audit trail what was done to what, in the same step that does it; `line` says who and what, and is ''
-- where nobody asked for it. It is chained later (tasks/audit.py); whoever does that is told of the first one.
local function note(tenant, line, outcome, subjects)
  if line == '' then return end
  local length = redis.call('RPUSH', key.audit_pending(),
    table.concat({tenant, whole(now()), outcome, line, subjects}, '\n'))
  if length == 1 then redis.call('PUBLISH', key.bell(), 'audit') end
  if length > UNCHAINED_AT_MOST then
    redis.call('LPOP', key.audit_pending())
    redis.call('HINCRBY', key.audit_state(), 'lost', 1)
    -- Whoever is chaining has read what is gone now.
    redis.call('HINCRBY', key.audit_state(), 'taken', 1)
  end
end

-- ----------------------------------------------------------------------------------------------- transport

-- Dramatiq's message: a ticket that names the task, its lane and the run it is for, and nothing of a client.
local function ticket(task)
  return '{"queue_name":"' .. task.lane .. '","actor_name":"' .. task.name .. '","args":[],"kwargs":{},'
    .. '"options":{"redis_message_id":"' .. task.id .. '","run":' .. (task.run + 1) .. '},"message_id":"'
    .. task.id .. '","message_timestamp":' .. whole(now()) .. '}'
end

-- Puts the task into its lane and wakes idle workers. A lane that had something in it needs no bell: whoever
-- has a free thread is taking from it already.
local function push(task, at_head)
  redis.call('HSET', key.messages(task.lane), task.id, ticket(task))
  local length = redis.call(at_head and 'LPUSH' or 'RPUSH', key.lane(task.lane), task.id)
  if length == 1 then redis.call('PUBLISH', key.bell(), task.lane) end
end

-- The same without the bell: who takes it is mostly the one who is at it. The bell rings at the end of the call where
-- nobody did.
local lanes_unheard

local function push_unheard(task)
  redis.call('HSET', key.messages(task.lane), task.id, ticket(task))
  redis.call('RPUSH', key.lane(task.lane), task.id)
  lanes_unheard = lanes_unheard or {}
  lanes_unheard[task.lane] = true
end

local function ring_for_unheard()
  for lane in pairs(lanes_unheard) do
    if redis.call('EXISTS', key.lane(lane)) == 1 then redis.call('PUBLISH', key.bell(), lane) end
  end
  lanes_unheard = nil
end

local function delay(task, due)
  redis.call('HSET', key.delayed_messages(task.lane), task.id, ticket(task))
  redis.call('ZADD', key.delayed(), due, task.id)
  redis.call('PUBLISH', key.bell(), 'delayed')
end

local function undelay(task)
  redis.call('HDEL', key.delayed_messages(task.lane), task.id)
  redis.call('ZREM', key.delayed(), task.id)
end

-- The ack: this worker no longer holds the task, and nobody needs its message.
local function settle(task, worker)
  redis.call('SREM', key.acks(worker, task.lane), task.id)
  redis.call('HDEL', key.messages(task.lane), task.id)
end

-- Of `limits.lua`: what a parked task, and a run that takes slots, leave behind.
local leave_limiter, free_slots, ring_for_parked, limits_eased

-- A waiting task leaves its lane, or the delayed ones, or those that are parked.
local function withdraw(task)
  undelay(task)
  if task.limiter ~= '' then leave_limiter(task) end
  redis.call('LREM', key.lane(task.lane), 1, task.id)
  redis.call('HDEL', key.messages(task.lane), task.id)
end

local function bury(task)
  redis.call('ZADD', key.dead(task.lane), now(), task.id)
  redis.call('HSET', key.dead_messages(task.lane), task.id, ticket(task))
end

local function unbury(task)
  redis.call('ZREM', key.dead(task.lane), task.id)
  redis.call('HDEL', key.dead_messages(task.lane), task.id)
end

-- ------------------------------------------------------------------------------------------------ webhooks

local SYSTEM_TENANT = 'system'
local DELIVERIES_NAMED = 20

-- A UUID of version 7, as `ids.py` makes them: now, and what the text comes to.
local function new_id(text)
  local time, digest = string.format('%012x', now()), redis.sha1hex(text)
  return string.sub(time, 1, 8) .. '-' .. string.sub(time, 9) .. '-7' .. string.sub(digest, 1, 3) .. '-8'
    .. string.sub(digest, 4, 6) .. '-' .. string.sub(digest, 7, 18)
end

local function note_delivery(task, id)
  local known = redis.call('HGET', key.task(task.id), 'deliveries') or ''
  local all = known == '' and id or (known .. ',' .. id)
  set(task, 'deliveries', string.sub(all, -(37 * DELIVERIES_NAMED - 1)))
end

-- The end of a task with a callback is told by a task of its own, queued in the same step: an end that is written has
-- its delivery, and one alone. Its payload names the task and holds nothing of it. The end of what is to be
-- forgotten is told to nobody, and where too many wait the record says so.
function queue_delivery(task)
  if task.forget == '1' then return end
  local seq, lane = next_seq(), DELIVERY.queue .. '.normal'
  if redis.call('HLEN', key.messages(lane)) + redis.call('HLEN', key.delayed_messages(lane)) >= DELIVERY.most then
    return set(task, 'untold', seq)
  end
  local delivery = {id = new_id(task.id .. seq), status = 'queued', tenant = SYSTEM_TENANT, case = '', run = 0,
    retries = 0, progress = 0, log = '', lane = lane, written = {}, removed = {}}
  set(delivery, 'name', DELIVERY.name)
  set(delivery, 'queue', DELIVERY.queue)
  set(delivery, 'priority', 'normal')
  set(delivery, 'tenant', SYSTEM_TENANT)
  set(delivery, 'cseq', seq)
  set(delivery, 'status', 'queued')
  set(delivery, 'queued', whole(now()))
  set(delivery, 'options', DELIVERY.options)
  set(delivery, 'payload', cjson.encode({task_id = task.id, tenant = task.tenant, status = task.status,
    attempt = tonumber(task.attempt) or 0, at = now(), url = task.callback}))
  redis.call('ZADD', key.by_status(SYSTEM_TENANT, 'queued'), seq, delivery.id)
  redis.call('ZADD', key.by_name(SYSTEM_TENANT, DELIVERY.name), seq, delivery.id)
  redis.call('SADD', key.tenants(), SYSTEM_TENANT)
  push(delivery)
  tell(delivery, 'queued', '', nil, seq)
  save(delivery)
  note_delivery(task, delivery.id)
end

-- ------------------------------------------------------------------------------------------------ children
--
-- A parent's children are held back until all of them are in, and then one at a time stands in the lane: when it
-- begins, the next one follows. So a batch of thousands has one place in its lane, and whatever else is queued there
-- waits for one of its cases, not for all. How many run at a time is bounded besides: by the parent's wish
-- (`max_parallel`), or else by three quarters of the threads there are. A parent that is paused has no room: what runs
-- goes on, what stands in its lane is held back when a worker comes to it, and nothing follows until it is resumed.

local CHILD_COUNTERS = {running = 'kids_running', retrying = 'kids_retrying', succeeded = 'kids_succeeded',
  failed = 'kids_failed', cancelled = 'kids_cancelled'}
local ROOM_IS_GOOD_FOR_MS = 1000
local PROGRESS_EVERY_MS = 250

local function numbers(task_key, ...)
  local values = redis.call('HMGET', task_key, ...)
  for i = 1, #values do values[i] = tonumber(values[i]) or 0 end
  return unpack(values)
end

local function threads_there_are()
  local workers, threads = redis.call('ZRANGE', key.heartbeats(), 0, -1), 0
  for _, worker in ipairs(workers) do
    local told = redis.call('GET', key.worker(worker))
    threads = threads + (told and tonumber(string.match(told, '"threads":(%d+)')) or 0)
  end
  return threads
end

-- How many children of a parent may run at a time. Where nobody said so, it is looked up now and then, for workers
-- come and go while a batch runs.
local function room_of(parent_key)
  local wish, room, found_at = numbers(parent_key, 'max_parallel', 'room', 'room_at')
  if wish > 0 then return wish end
  if room > 0 and now() - found_at < ROOM_IS_GOOD_FOR_MS then return room end
  local threads = threads_there_are()
  room = threads > 0 and threads - math.floor(threads / 4) or 1000
  redis.call('HSET', parent_key, 'room', room, 'room_at', whole(now()))
  return room
end

-- Puts the next held child into its lane. Returns whether there was one.
local function queue_next_held_child(parent_id)
  local id = redis.call('LPOP', key.held(parent_id))
  while id do
    local child = load(id)
    if child and child.status == 'queued' then
      set(child, 'queued', whole(now()))
      save(child)
      push_unheard(child)
      return true
    end
    id = redis.call('LPOP', key.held(parent_id))
  end
  return false
end

-- Called whenever a place may have become free, of a parent that isn't paused; does nothing where none has.
local function draw_child(parent_id)
  local held = redis.call('LLEN', key.held(parent_id))
  if held == 0 then return end
  local parent_key = key.task(parent_id)
  local total, good, bad, gone, running, retrying = numbers(parent_key, 'kids_total', 'kids_succeeded', 'kids_failed',
    'kids_cancelled', 'kids_running', 'kids_retrying')
  local in_lane = total - good - bad - gone - running - retrying - held
  if in_lane <= 0 and running < room_of(parent_key) then queue_next_held_child(parent_id) end
end

-- The place of a case among the results is that of its first end: who has read so many lines goes on after them.
local function note_end(child, parent_id, parent_is_final)
  local ended = key.ended(parent_id)
  redis.call('ZADD', ended, 'NX', redis.call('ZCARD', ended), child.id)
  if parent_is_final then redis.call('PEXPIRE', ended, redis.call('PTTL', key.task(parent_id))) end
  redis.call('PUBLISH', key.batch_news(parent_id), '')
end

-- As `Task` in record.py says it.
local function how_far(parent, ended, total)
  return ended .. ' de ' .. total .. ' casos' .. (parent.paused ~= '' and ', em pausa' or '')
end

-- Tells how far a parent is: at each whole percent, and a few times a second between them.
local function tell_how_far(parent_id, ended, total)
  local told, told_seq = numbers(key.task(parent_id), 'progress', 'progress_seq')
  local percent = math.floor(1000 * ended / total) / 10
  local is_news = ended >= total or math.floor(percent) ~= math.floor(told)
    or now() - math.floor(told_seq / 4096) >= PROGRESS_EVERY_MS
  if not is_news then return end
  local parent = load(parent_id)
  tell_progress(parent, percent, how_far(parent, ended, total))
  save(parent)
end

-- A parent that waits for its children hears how many have ended; after the last one it goes on.
local function tell_parent(parent_id)
  local parent_key = key.task(parent_id)
  local state = redis.call('HMGET', parent_key, 'status', 'awaiting')
  if state[1] ~= 'running' or state[2] ~= '1' then return end
  local total, good, bad, gone = numbers(parent_key, 'kids_total', 'kids_succeeded', 'kids_failed', 'kids_cancelled')
  local ended = good + bad + gone
  if total > 0 then tell_how_far(parent_id, ended, total) end
  if ended < total then return end
  local parent = load(parent_id)
  set(parent, 'awaiting', 'due')
  push(parent)
  save(parent)
end

local function count_child(child, from, to)
  if child.parent == '' then return end
  local parent_key = key.task(child.parent)
  local parent = redis.call('HMGET', parent_key, 'status', 'awaiting', 'on_error', 'paused')
  if not parent[1] then return end
  if CHILD_COUNTERS[from] then redis.call('HINCRBY', parent_key, CHILD_COUNTERS[from], -1) end
  if CHILD_COUNTERS[to] then redis.call('HINCRBY', parent_key, CHILD_COUNTERS[to], 1) end
  if FINAL[to] then note_end(child, child.parent, FINAL[parent[1]]) end
  if to == 'failed' and parent[3] == 'abort' then redis.call('HSET', parent_key, 'aborted', '1') end
  if parent[2] == '1' and not parent[4] then draw_child(child.parent) end
  if FINAL[to] then tell_parent(child.parent) end
end

-- ------------------------------------------------------------------------------------------------- moving

-- Carries the status and everything that follows from it: the indexes and the parent's counts.
local function move(task, to)
  local from = task.status
  if from == to then return end
  set(task, 'status', to)
  redis.call('ZREM', key.by_status(task.tenant, from), task.id)
  redis.call('ZADD', key.by_status(task.tenant, to), task.cseq, task.id)
  if task.slots ~= '' and from == 'running' then free_slots(task) end
  count_child(task, from, to)
end

local function expire_with_its_children(task, retention_ms)
  redis.call('ZADD', key.expiring(), now() + retention_ms, task.id)
  redis.call('PEXPIRE', key.task(task.id), retention_ms + SPARE_MS)
  if task.kids_total == '' then return end
  for _, of_parent in ipairs({key.children(task.id), key.held(task.id), key.ended(task.id)}) do
    redis.call('PEXPIRE', of_parent, retention_ms + SPARE_MS)
  end
end

-- What every end has in common: the clock stops, the record gets its day of expiry.
local function finish(task, to, retention_ms)
  if task.forget == '1' then retention_ms = 0 end
  set(task, 'finished', whole(now()))
  unset(task, 'cancel', 'awaiting', 'eta', 'raised', 'raised_at', 'paused')
  task.has_ended = true
  move(task, to)
  expire_with_its_children(task, retention_ms)
  count(task, to)
  if task.started ~= '' then count_duration(task, 'run', task.started) end
end

-- Put together by hand, like the ticket: `cjson` takes its time, and numbers and our own names need no escapes.
local function attempt_json(task)
  return '{"attempt":' .. (task.retries + 1) .. ',"run":' .. task.run .. ',"progress":' .. task.progress .. '}'
end

local function cancelled(task, retention_ms)
  finish(task, 'cancelled', retention_ms)
  tell(task, 'cancelled', attempt_json(task))
  save(task)
end

local function failed(task, problem, retention_ms)
  set(task, 'error', problem)
  finish(task, 'failed', retention_ms)
  count_fault(task, problem)
  bury(task)
  tell(task, 'failed', attempt_json(task), problem)
  save(task)
end

-- What a run that didn't succeed achieved nevertheless, in the place of what an earlier one did.
local function keep_achieved(task, result, place)
  if result == '' and place == '' then return end
  unset(task, 'result', 'result_place')
  if result ~= '' then set(task, 'result', result) end
  if place ~= '' then set(task, 'result_place', place) end
end

-- Out of its lane, a task stands in the lane of its own priority again.
local function lower(task)
  if task.raised == '' then return end
  unset(task, 'raised', 'raised_at')
  task.lane = task.queue .. '.' .. task.priority
end

-- A task lost its worker: back to the head of its lane, or, if its end was wished for, to its end.
local function recover(task, cause, retention_ms)
  if task.cancel == '1' then return cancelled(task, retention_ms) end
  set(task, 'queued', whole(now()))
  unset(task, 'worker')
  move(task, 'queued')
  push(task, true)
  tell(task, 'recovered', '{"cause":"' .. cause .. '",' .. string.sub(attempt_json(task), 2))
  save(task)
end

-- Their addresses are the client's words too. One that is being sent is forgotten when it ends.
local function forget_deliveries(task)
  for id in string.gmatch(redis.call('HGET', key.task(task.id), 'deliveries') or '', '[^,]+') do
    local delivery = load(id)
    if delivery then
      set(delivery, 'forget', '1')
      if FINAL[delivery.status] then
        redis.call('ZADD', key.expiring(), now(), id)
        save(delivery)
      elseif delivery.status == 'running' then
        save(delivery)
      else
        withdraw(delivery)
        cancelled(delivery, 0)
      end
    end
  end
end

-- An ended task and everything that points to it.
local function forget_record(task)
  if task.callback ~= '' then forget_deliveries(task) end
  unbury(task)
  redis.call('ZREM', key.by_status(task.tenant, task.status), task.id)
  redis.call('ZREM', key.by_name(task.tenant, task.name), task.id)
  if task.case ~= '' then redis.call('ZREM', key.by_case(task.tenant, task.case), task.id) end
  if task.parent ~= '' then redis.call('ZREM', key.children(task.parent), task.id) end
  redis.call('DEL', key.task(task.id), key.children(task.id), key.held(task.id), key.ended(task.id))
end

-- True where this is the run, and the worker, that the record says is going on; any other was superseded and may not
-- write.
local function holds(task, run, worker, states)
  return task and task.run == tonumber(run) and task.worker == worker and allowed(task, states)
end

-- A superseded run gives up its worker's hold, unless the same worker was given the task again meanwhile.
local function give_up_hold(task, id, worker, lane)
  local given_again = task and (task.status == 'queued' or (task.status == 'running' and task.worker == worker))
  if not given_again then redis.call('SREM', key.acks(worker, lane), id) end
end

-- An end that is written again because its answer was lost is done already.
local function ended_before(task, run, worker, status)
  local was_so = task and task.status == status and task.run == tonumber(run) and task.worker == worker
  return was_so and 'done' or 'lost'
end

-- What a worker was given and will not do goes back to the head of its lane. Whether its run began is the record's
-- to say: the worker may not have heard.
local function give_back(id, lane, worker, cause, retention)
  local task = load(id)
  if not task or FINAL[task.status] then
    redis.call('HDEL', key.messages(lane), id)
  elseif task.limiter ~= '' then
    return
  elseif task.status == 'queued' or task.awaiting == 'due' then
    push(task, true)
  elseif task.status == 'running' and task.worker == worker then
    recover(task, cause, retention)
  end
end

-- ---------------------------------------------------------------------------------------------- every call

-- Every operation runs between these two: nothing of one call is left for the next.
local function begin(namespace)
  NS, now_ms, last_seq, lanes_unheard, limits_eased = namespace, nil, nil, nil, nil
end

local function finish_call()
  if lanes_unheard then ring_for_unheard() end
  if limits_eased then ring_for_parked() end
  if last_seq then redis.call('SET', key.seq(), whole(last_seq)) end
end
