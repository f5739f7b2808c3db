-- The clock and the sequence. Time is the server's, so a worker whose clock is wrong changes nothing. The number of an
-- event is the server's time in ms times 4096, or one more than the last number where that is greater: strictly
-- growing, also over a clock that is set back, and its time can be read off it (exact in a double until the year 2039).

local now_ms, last_seq

local function now()
  if not now_ms then
    local clock = redis.call('TIME')
    now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
  end
  return now_ms
end

local function whole(number)
  return string.format('%d', number)
end

local function next_seq()
  last_seq = math.max((last_seq or tonumber(redis.call('GET', key.seq()) or '0')) + 1, now() * 4096)
  return whole(last_seq)
end
