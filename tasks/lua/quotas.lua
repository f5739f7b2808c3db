-- The quota of a tenant's waiting tasks. What waits is counted by the indexes: in a lane, for its time, or for its next
-- attempt. Who has much room isn't counted with each submit: half of the room that was seen may be used up first, for a
-- second at most. Near the quota every submit counts. The service's own tenant, where webhooks wait, has none.

local ROOM_WORTH_REMEMBERING = 200
local ROOM_LASTS_MS = 1000
local ROOMS_AT_MOST = 1000
local rooms, how_many_rooms = {}, 0

local function has_room(tenant, added)
  local room = rooms[NS .. ' ' .. tenant]
  if not room or room.left < added or now() < room.since or now() - room.since >= ROOM_LASTS_MS then return false end
  room.left = room.left - added
  return true
end

local function remember_room(tenant, left)
  local name = NS .. ' ' .. tenant
  if left < ROOM_WORTH_REMEMBERING then
    if rooms[name] then rooms[name].left = 0 end
    return
  end
  if not rooms[name] then
    if how_many_rooms >= ROOMS_AT_MOST then rooms, how_many_rooms = {}, 0 end
    how_many_rooms = how_many_rooms + 1
  end
  rooms[name] = {left = math.floor(left / 2), since = now()}
end

-- The quota, where so many more are too many; else nil.
local function exceeded_quota(tenant, added, quota_of_all)
  if added == 0 or tenant == SYSTEM_TENANT or has_room(tenant, added) then return nil end
  local most = tonumber(redis.call('HGET', key.quotas(), tenant) or quota_of_all)
  local waiting = redis.call('ZCARD', key.by_status(tenant, 'queued'))
    + redis.call('ZCARD', key.by_status(tenant, 'scheduled')) + redis.call('ZCARD', key.by_status(tenant, 'retrying'))
  if waiting + added > most then return whole(most) end
  remember_room(tenant, most - waiting - added)
end
