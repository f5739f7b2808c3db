-- Takes the most urgent tickets of several queues for one worker.
-- ARGV: worker, how many at most, then the queues, in the order in which equals are preferred.
-- Returns the messages. An id whose message is gone or isn't its own gets a new one, as long as its task waits. A lane is looked at only when every lane above it, of all these queues, is empty.

local worker, wanted = ARGV[1], tonumber(ARGV[2])
local PRIORITIES = {'critical', 'high', 'normal', 'low'}

local lanes, lists = {}, {}
for _, priority in ipairs(PRIORITIES) do
  for i = 3, #ARGV do
    lanes[#lanes + 1] = {queue = ARGV[i], name = ARGV[i] .. '.' .. priority}
    lists[#lists + 1] = key.lane(lanes[#lanes].name)
  end
end
if redis.call('EXISTS', unpack(lists)) == 0 then return {} end

local paused = {}
for _, queue in ipairs(redis.call('HKEYS', key.paused())) do paused[queue] = true end

local function is_its_own(message, id)
  return message and string.find(message, '"redis_message_id":"' .. id .. '"', 1, true)
end

local function renewed(id, lane)
  local task = load(id)
  if not task or not (task.status == 'queued' or task.awaiting == 'due') then return nil end
  redis.call('HSET', key.messages(lane), id, ticket(task))
  return ticket(task)
end

local messages = {}
local function take(lane)
  local ids = redis.call('LPOP', key.lane(lane), wanted - #messages)
  if not ids then return end
  local found = redis.call('HMGET', key.messages(lane), unpack(ids))
  for i, id in ipairs(ids) do
    local message = is_its_own(found[i], id) and found[i] or renewed(id, lane)
    if message then
      messages[#messages + 1] = message
      redis.call('SADD', key.acks(worker, lane), id)
    end
  end
  return true
end

for _, lane in ipairs(lanes) do
  while not paused[lane.queue] and #messages < wanted and take(lane.name) do end
  if #messages >= wanted then break end
end
return messages
