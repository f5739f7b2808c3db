-- Writes the next state of one alert, where it is still as the caller has seen it: of several that evaluate, one does.
-- With it go the line of its history and the notice of it, so that a change that is written is told.
-- ARGV: alert, as it was seen (JSON) or '', its next state (JSON) or '' to forget it, line of the history (JSON) or '',
--       id of the notice or '', the notice (JSON)
-- Returns 1, or 0 where another one was faster, or too many alerts stand already.

local alert, seen, next_state, line, notice_id, notice = unpack(ARGV)
local ALERTS, NOTICES, LINES = 1000, 1000, 10000
local kept = redis.call('HGET', key.alerts(), alert) or ''
if kept ~= seen then return 0 end
if next_state == '' then
  redis.call('HDEL', key.alerts(), alert)
else
  if seen == '' and redis.call('HLEN', key.alerts()) >= ALERTS then return 0 end
  redis.call('HSET', key.alerts(), alert, next_state)
  redis.call('EXPIRE', key.alerts(), 8 * 86400)
end
if line ~= '' then
  redis.call('XADD', key.alert_history(), 'MAXLEN', '~', LINES, '*', 'e', line)
  redis.call('EXPIRE', key.alert_history(), 400 * 86400)
end
if notice_id ~= '' and redis.call('HLEN', key.alert_notices()) < NOTICES then
  redis.call('HSET', key.alert_notices(), notice_id, notice)
  redis.call('EXPIRE', key.alert_notices(), 86400)
end
return 1
