-- Gives back what a worker holds and will not do: unfinished work of a worker that stops.
-- ARGV: worker, lane, run that was going on or '' (not begun), id, retention in ms
-- Returns 'done'; 'lost' where the run was superseded.

local worker, lane, run, id, retention = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('SREM', key.acks(worker, lane), id) == 0 then return 'lost' end
local task = load(id)
if not task or FINAL[task.status] then return 'lost' end
if task.status == 'queued' or task.awaiting == 'due' then
  push(task, true)
  return 'done'
end
-- A worker that never heard whether its run began hands it back unbegun.
local is_this_run = run == '' or task.run == tonumber(run)
if task.status ~= 'running' or task.worker ~= worker or not is_this_run then return 'lost' end
recover(task, 'shutdown', retention)
return 'done'
