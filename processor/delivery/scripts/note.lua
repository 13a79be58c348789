-- Record the consequences of attempts for the state of their lane. An attempt that is noted again changes nothing.
-- KEYS: 1 lane-state, 2 subscribers-version, 3 the subscriber, unless the lane is built-in
-- ARGV: 1 token, 2 now ms, 3 failures until a lane is slow, 4 first pause between probes ms, 5 longest, 6 failing for
--       so long ms is paused; then for each attempt: its number (rising), verdict, the attempt as JSON, "1" when the
--       failure counts against the lane
local state, now = KEYS[1], ARGV[2]

local function count_failure(mode)
  local failures = redis.call('HINCRBY', state, 'failures', 1)
  redis.call('HSETNX', state, 'failing_since', now)
  local since = tonumber(redis.call('HGET', state, 'failing_since'))
  if mode == 'active' and failures >= tonumber(ARGV[3]) then mode = 'slow' end
  if mode == 'slow' then
    local pause = tonumber(redis.call('HGET', state, 'probe_pause') or ARGV[4])
    redis.call('HSET', state, 'probe_at', now + pause, 'probe_pause', math.min(2 * pause, tonumber(ARGV[5])))
  end
  if (mode == 'active' or mode == 'slow') and now - since >= tonumber(ARGV[6]) then
    mode = 'paused'
    redis.call('HSET', state, 'since', now)
  end
  return mode
end

local function note(verdict, attempt, counts)
  local before = redis.call('HGET', state, 'mode') or 'active'
  local mode = before
  redis.call('HSET', state, 'last_attempt', attempt)
  if verdict == 'gone' then
    mode = 'gone'
    redis.call('HSET', state, 'since', now)
    redis.call('INCR', KEYS[2])
  elseif verdict == 'delivered' then
    redis.call('HINCRBY', state, 'delivered', 1)
    redis.call('HDEL', state, 'failures', 'failing_since', 'probe_at', 'probe_pause')
    if mode == 'slow' then
      mode = 'active'
      redis.call('HSET', state, 'recovered', 1)
    end
  elseif counts then
    mode = count_failure(mode)
  end
  if verdict == 'dead' or verdict == 'gone' then redis.call('HINCRBY', state, 'dead', 1) end
  if verdict == 'uncertain' then redis.call('HINCRBY', state, 'uncertain', 1) end
  if mode ~= before then redis.call('HSET', state, 'mode', mode) end
end

if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 0 then return end
local token, number = unpack(redis.call('HMGET', state, 'noted_by', 'noted'))
local noted = token == ARGV[1] and tonumber(number) or 0
for at = 7, #ARGV, 4 do
  if tonumber(ARGV[at]) > noted then note(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3] == '1') end
end
redis.call('HSET', state, 'noted_by', ARGV[1], 'noted', math.max(noted, tonumber(ARGV[#ARGV - 3])))
