-- Put a notification into its lanes, once, and then remove it from the fan-out.
-- KEYS: 1-6 as in common; 7 fan-out, 8 closed-lanes, 9 deliveries, 10 notification; then the lanes
-- ARGV: 1 entry of the fan-out, 2 notification id, 3 now ms; then the lane ids
-- Returns 1; 0 when another process did it; -1 when the notification was erased; the error of a lane that refused it,
-- where it stays pending, after all others have got it. With any other error it stays in the fan-out.
if redis.call('EXISTS', KEYS[10]) == 0 then
  redis.call('XDEL', KEYS[7], ARGV[1])
  return -1
end
if #redis.call('XRANGE', KEYS[7], ARGV[1], ARGV[1]) == 0 then return 0 end
local count, failure = 0, nil
for index = 4, #ARGV do
  local lane = ARGV[index]
  if redis.call('SISMEMBER', KEYS[8], lane) == 0
    and redis.call('HSETNX', KEYS[9], lane .. ':status', 'pending') == 1 then
    local reply = redis.pcall('ZADD', KEYS[index + 7], ARGV[3], ARGV[2])
    if type(reply) == 'table' then failure = failure or reply end
    count = count + 1
  end
end
if count > 0 then
  redis.call('HINCRBY', KEYS[9], 'n:pending', count)
  local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
  if score then list(KEYS[9], ARGV[2], score) end
end
redis.call('XDEL', KEYS[7], ARGV[1])
return failure or 1
