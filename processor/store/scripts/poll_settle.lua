-- Set the next poll of a company after its lease, unless an earlier one was requested meanwhile.
-- KEYS: looks
-- ARGV: company, next poll ms, end of the lease ms
local now_planned = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or ARGV[3])
local again = tonumber(ARGV[2])
if now_planned < tonumber(ARGV[3]) then
  again = math.min(again, now_planned)
end
redis.call('ZADD', KEYS[1], again, ARGV[1])
return again
