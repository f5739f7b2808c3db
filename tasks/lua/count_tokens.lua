-- Adds to the sums of tokens that providers were paid for.
-- ARGV: id, prompt tokens, completion tokens
-- Returns 1, or 0 where there is no such task. Not fenced: what a superseded run spent was spent too.

local task = load(ARGV[1])
if not task then return 0 end
count(task, 'prompt_tokens', tonumber(ARGV[2]))
count(task, 'completion_tokens', tonumber(ARGV[3]))
return 1
