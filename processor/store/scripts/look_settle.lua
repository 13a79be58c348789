-- A company was looked at, or need not be: when it is looked at next.
-- What asked for an earlier look meanwhile is not forgotten.
-- KEYS: looks
-- ARGV: company, again ms, the time until which it was taken (ms)
local now_planned = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or ARGV[3])
local again = tonumber(ARGV[2])
if now_planned < tonumber(ARGV[3]) then
  again = math.min(again, now_planned)
end
redis.call('ZADD', KEYS[1], again, ARGV[1])
return again
