-- Takes the most urgent tasks of several queues for one worker and begins their runs.
-- ARGV: worker, states that may be left, retention in ms, how many at most, limits (JSON, as in limits.lua) or '', then
--       the queues, in the order in which equals are preferred
-- Returns {id, name, lane, run, payload, options, tenant, case, parent, retries, the case's key or ''} of each.

return fetch_as_asked(ARGV, 1)
