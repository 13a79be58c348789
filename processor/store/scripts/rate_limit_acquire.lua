-- Acquire a permit for one request to Codat.
-- KEYS: pace, quota, polling-paused, slots
-- ARGV: now ms, now ISO, priority (0 journey, 1 check, 2 background), burst, per second, reserve, slots,
--       lease ms, token, share of the daily quota that background work leaves, '1' to use slots or ''
-- Returns {1, number of the request} or {0, reason, when}: for how long (ms: pace, slots), or until when
-- (ms since 1970: blocked, quota; ISO: paused).
local now = tonumber(ARGV[1])
local priority = tonumber(ARGV[3])
if priority == 2 then
  local paused = redis.call('GET', KEYS[3])
  if paused and paused > ARGV[2] then return {0, 'paused', paused} end
end
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at_ms', 'blocked_ms')
if priority >= 1 and tonumber(known[3] or 0) > now then return {0, 'blocked', known[3]} end
if priority == 2 then
  local day = redis.call('HMGET', KEYS[2], 'remaining', 'limit', 'resets_ms')
  if day[1] and tonumber(day[3]) > now
      and tonumber(day[1]) - 1 < tonumber(day[2]) * tonumber(ARGV[10]) then
    return {0, 'quota', day[3]}
  end
end
local per_ms = tonumber(ARGV[5]) / 1000
local burst = tonumber(ARGV[4])
local at = tonumber(known[2] or now)
local tokens = math.min(burst, tonumber(known[1] or burst) + math.max(0, now - at) * per_ms)
local need = 1
if priority == 2 then need = 1 + tonumber(ARGV[6]) end
if tokens < need then return {0, 'pace', tostring(math.ceil((need - tokens) / per_ms))} end
if ARGV[11] == '1' then
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
  if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[7]) then return {0, 'slots', '50'} end
  redis.call('ZADD', KEYS[4], now + tonumber(ARGV[8]), ARGV[9])
  redis.call('PEXPIRE', KEYS[4], 2 * tonumber(ARGV[8]))
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - 1), 'at_ms', math.max(now, at))
redis.call('EXPIRE', KEYS[1], 86400)
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HINCRBY', KEYS[2], 'remaining', -1) end
return {1, redis.call('HINCRBY', KEYS[1], 'number', 1)}
