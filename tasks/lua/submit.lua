-- Creates records and queues their messages, all or nothing.
-- ARGV: max_waiting, idempotency digest or '', fingerprint of the body, idempotency TTL in ms,
--       quota of a tenant that has none of its own, or '' where none is asked, audit line or '', what it is about,
--       TTL of a case's key in s, how many cases, then per case: tenant, case, the key that was sealed with, '1' where
--       it is a new one;
--       then per task: id, name, queue, priority, tenant, case, parent, eta (ms) or '', delay (ms) or '',
--       options, payload, metadata (both sealed), held ('1': waits for its parent to draw it), callback (a URL) or ''
-- Returns {'queued', id...}; {'replayed', id...} where the idempotency key had been used with the same body;
--         {'rekey', tenant, case, key kept or '', ...} where a case has another key than was sealed with;
--         {'mismatch'} with another body; {'full', lane}; {'quota', quota}; {'orphan'} where the parent isn't running,
--         or is to end.
-- Safe to send again: a task that exists is left as it is.

local max_waiting, digest, fingerprint, idempotency_ttl = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local quota, audit_line, subjects = ARGV[5], ARGV[6], ARGV[7]
local key_ttl, cases, KEYS_FROM = tonumber(ARGV[8]), tonumber(ARGV[9]), 10
local STRIDE, FIRST = 14, KEYS_FROM + 4 * cases

-- A hundred ids and the commas between them.
local REPLAYED_BYTES = 3699

-- A child that ended and was forgotten since doesn't come back when its parent runs again.
local function has_been(task)
  return task.parent ~= '' and redis.call('ZSCORE', key.ended(task.parent), task.id) and true
end

local tasks, tenants = {}, {}
for i = FIRST, #ARGV, STRIDE do
  local task = {id = ARGV[i], name = ARGV[i + 1], queue = ARGV[i + 2], priority = ARGV[i + 3],
    tenant = ARGV[i + 4], case = ARGV[i + 5], parent = ARGV[i + 6], eta = ARGV[i + 7], delay = ARGV[i + 8],
    options = ARGV[i + 9], payload = ARGV[i + 10], metadata = ARGV[i + 11], held = ARGV[i + 12] == '1',
    callback = ARGV[i + 13], idem = digest,
    run = 0, retries = 0, progress = 0, log = '', status = '', written = {}, removed = {}}
  task.lane = task.queue .. '.' .. task.priority
  task.is_known = redis.call('EXISTS', key.task(task.id)) == 1 or has_been(task)
  tasks[#tasks + 1], tenants[task.tenant] = task, true
end

local function remembered()
  local before = answered_before(ARGV[FIRST + 4], digest, fingerprint)
  if before == nil then return nil end
  if not before then return {'mismatch'} end
  note(ARGV[FIRST + 4], audit_line, 'replayed', string.sub(before, 1, REPLAYED_BYTES))
  local answer = {'replayed'}
  for id in string.gmatch(before, '[^,]+') do answer[#answer + 1] = id end
  return answer
end

local function full_lane()
  local more = {}
  for _, task in ipairs(tasks) do
    if not task.is_known then more[task.lane] = (more[task.lane] or 0) + 1 end
  end
  for lane, added in pairs(more) do
    local waiting = redis.call('HLEN', key.messages(lane)) + redis.call('HLEN', key.delayed_messages(lane))
    if waiting + added > max_waiting then return lane end
  end
end

local function over_quota()
  if quota == '' then return nil end
  for tenant in pairs(tenants) do
    local added = 0
    for _, task in ipairs(tasks) do
      if task.tenant == tenant and not task.is_known then added = added + 1 end
    end
    local exceeded = exceeded_quota(tenant, added, quota)
    if exceeded then return exceeded end
  end
end

local function orphaned()
  local checked = {}
  for _, task in ipairs(tasks) do
    if task.parent ~= '' and not checked[task.parent] then
      checked[task.parent] = true
      local parent = redis.call('HMGET', key.task(task.parent), 'status', 'cancel')
      if parent[1] ~= 'running' or parent[2] == '1' then return true end
    end
  end
end

local function due_time(task)
  if task.delay ~= '' then return now() + tonumber(task.delay) end
  if task.eta ~= '' then return math.max(tonumber(task.eta), now()) end
  return now()
end

local WRITTEN = {'name', 'queue', 'priority', 'tenant', 'cseq', 'status', 'options', 'payload', 'case', 'parent',
  'metadata', 'callback', 'idem'}

local function write_record(task, due)
  for _, field in ipairs(WRITTEN) do
    if task[field] ~= '' then set(task, field, task[field]) end
  end
  set(task, task.status == 'scheduled' and 'eta' or 'queued', whole(due))
end

local function index(task)
  redis.call('ZADD', key.by_status(task.tenant, task.status), task.cseq, task.id)
  redis.call('ZADD', key.by_name(task.tenant, task.name), task.cseq, task.id)
  if task.case ~= '' then redis.call('ZADD', key.by_case(task.tenant, task.case), task.cseq, task.id) end
  if task.parent ~= '' then
    redis.call('ZADD', key.children(task.parent), task.cseq, task.id)
    redis.call('HINCRBY', key.task(task.parent), 'kids_total', 1)
  end
end

local defaults = {}

-- Where the tenant wants its ends told; a child's end is its parent's to tell.
local function default_callback(tenant)
  if defaults[tenant] == nil then defaults[tenant] = redis.call('HGET', key.webhook_defaults(), tenant) or '' end
  return defaults[tenant]
end

local function create(task)
  if task.callback == '' and task.parent == '' then task.callback = default_callback(task.tenant) end
  local due = due_time(task)
  task.cseq = next_seq()
  task.status = due > now() and 'scheduled' or 'queued'
  write_record(task, due)
  index(task)
  if task.status == 'scheduled' then
    delay(task, due)
    tell(task, 'scheduled', '{"eta":' .. whole(due) .. '}', nil, task.cseq)
  else
    if task.held then redis.call('RPUSH', key.held(task.parent), task.id) else push(task) end
    tell(task, 'queued', '', nil, task.cseq)
  end
  save(task)
end

local known = remembered()
if known then return known end
local lane = full_lane()
if lane then return {'full', lane} end
local exceeded = over_quota()
if exceeded then return {'quota', exceeded} end
if orphaned() then return {'orphan'} end
local others = other_keys(ARGV, KEYS_FROM, cases)
if others then return others end
keep_keys(ARGV, KEYS_FROM, cases, key_ttl)

local answer = {'queued'}
for _, task in ipairs(tasks) do
  if not task.is_known then create(task) end
  answer[#answer + 1] = task.id
end
for tenant in pairs(tenants) do redis.call('SADD', key.tenants(), tenant) end
remember_answer(ARGV[FIRST + 4], digest, fingerprint, table.concat(answer, ',', 2), idempotency_ttl)
note(ARGV[FIRST + 4], audit_line, 'queued', subjects)
return answer
