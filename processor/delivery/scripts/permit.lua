-- How many attempts may begin in a lane that is slow, or has a rate.
-- KEYS: lane-state
-- ARGV: 1 now ms, 2 wanted, 3 end of the lease ms, 4 most a second (0: any number), 5 under way
-- Returns {number, when more may begin (ms, '' for now)}.
local now, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local mode, probe_at, free_at = unpack(redis.call('HMGET', KEYS[1], 'mode', 'probe_at', 'free_at'))
local again = ''
if mode == 'slow' then
  if now < tonumber(probe_at or '0') then return {0, probe_at} end
  room = math.min(room, 1 - tonumber(ARGV[5]))
  again = ARGV[3]
end

-- The rate: <free_at> is when the next attempt may begin. What was not used is kept for 100 ms, so that several
-- begin with one look.
if tonumber(ARGV[4]) > 0 then
  local pause = 1000 / tonumber(ARGV[4])
  local from = math.max(tonumber(free_at or '0'), now - math.max(0, 100 - pause))
  if from > now then return {0, string.format('%d', math.ceil(from))} end
  room = math.min(room, math.floor((now - from) / pause) + 1)
  if room > 0 then
    from = from + pause * room
    redis.call('HSET', KEYS[1], 'free_at', string.format('%.3f', from))
    if from > now and mode ~= 'slow' then again = string.format('%d', math.ceil(from)) end
  end
end
if mode == 'slow' and room > 0 then redis.call('HSET', KEYS[1], 'probe_at', ARGV[3]) end
return {math.max(room, 0), again}
