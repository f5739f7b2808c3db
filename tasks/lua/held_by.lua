-- What the server thinks that a worker holds.
-- ARGV: worker, then every lane
-- Returns {lane, id, run, ...}.

local worker, lanes, acks, report = ARGV[1], {}, {}, {}
for i = 2, #ARGV do
  lanes[#lanes + 1] = ARGV[i]
  acks[#acks + 1] = key.acks(worker, ARGV[i])
end
if redis.call('EXISTS', unpack(acks)) == 0 then return report end

for i, lane in ipairs(lanes) do
  for _, id in ipairs(redis.call('SMEMBERS', acks[i])) do
    local task = load(id)
    for _, part in ipairs({lane, id, task and task.run or 0}) do report[#report + 1] = part end
  end
end
return report
