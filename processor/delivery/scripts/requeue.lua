-- Put a notification into a lane of its cell (again) with a new retry schedule.
-- KEYS: 1-6 as in common; 7 deliveries, 8 lane, 9 lane-flight, 10 notification, 11 closed-lanes
-- ARGV: id, lane id, now ms
-- Returns 1, or 0 when the notification or the lane does not exist.
local id, lane = ARGV[1], ARGV[2]
if redis.call('EXISTS', KEYS[10]) == 0 or redis.call('SISMEMBER', KEYS[11], lane) == 1 then return 0 end
redis.call('HSET', KEYS[7], lane .. ':tries', 0)
redis.call('HDEL', KEYS[7], lane .. ':next', lane .. ':asked')
local before = redis.call('HGET', KEYS[7], lane .. ':status')
set_status(KEYS[7], id, lane, 'pending')
for _, member in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
  if string.sub(member, 1, #id + 1) == id .. ' ' and redis.call('ZSCORE', KEYS[8], id) then return 1 end
end
-- Recipients that have it are left out, unless all have it; uncertain ones get it again.
local sent = lane .. ':sent:'
for _, field in ipairs(redis.call('HKEYS', KEYS[7])) do
  if string.sub(field, 1, #sent) == sent
    and (before == 'delivered' or redis.call('HGET', KEYS[7], field) ~= 'delivered') then
    redis.call('HDEL', KEYS[7], field)
  end
end
redis.call('ZADD', KEYS[8], ARGV[3], id)
return 1
