-- Notes something for the audit trail that was done elsewhere.
-- ARGV: tenant, outcome, audit line, what it is about
-- Returns 1.

note(ARGV[1], ARGV[3], ARGV[2], ARGV[4])
return 1
