-- Release the permit of a request to Codat and record the quota in its response.
-- KEYS: pace, quota, slots
-- ARGV: now ms, token, number of the request, limit, remaining, resets ms, blocked until ms ('': unknown)
redis.call('ZREM', KEYS[3], ARGV[2])
if ARGV[7] ~= '' then
  local blocked = math.max(tonumber(ARGV[7]), tonumber(redis.call('HGET', KEYS[1], 'blocked_ms') or 0))
  redis.call('HSET', KEYS[1], 'blocked_ms', blocked)
  redis.call('EXPIRE', KEYS[1], 86400)
end
if ARGV[5] == '' or tonumber(ARGV[6]) <= tonumber(ARGV[1]) then return 0 end
local day = redis.call('HMGET', KEYS[2], 'number', 'limit', 'resets_ms')
local is_over = day[3] and tonumber(day[3]) <= tonumber(ARGV[1])
if day[1] and not is_over and tonumber(day[1]) > tonumber(ARGV[3]) then return 0 end
-- Requests sent after this one are not yet counted in its response.
local later = tonumber(redis.call('HGET', KEYS[1], 'number') or ARGV[3]) - tonumber(ARGV[3])
local limit = ARGV[4]
if limit == '' then
  limit = tostring(math.max(tonumber(ARGV[5]), tonumber(day[2] or 0)))
end
redis.call('HSET', KEYS[2], 'number', ARGV[3], 'limit', limit,
  'remaining', math.max(0, tonumber(ARGV[5]) - math.max(0, later)), 'resets_ms', ARGV[6])
redis.call('PEXPIRE', KEYS[2], tonumber(ARGV[6]) - tonumber(ARGV[1]))
return 1
