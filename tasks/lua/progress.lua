-- Keeps and tells how far a run has come.
-- ARGV: id, run, worker, percent, message, allowed states
-- Returns 'go_on'; 'cancel' where the task's end is wished for; 'lost' where the run was superseded.

local task = load(ARGV[1])
if not holds(task, ARGV[2], ARGV[3], ARGV[6]) then return 'lost' end
tell_progress(task, tonumber(ARGV[4]), ARGV[5])
save(task)
return task.cancel == '1' and 'cancel' or 'go_on'
