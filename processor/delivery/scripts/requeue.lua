-- Put a notification into a lane (again): its schedule begins anew.
-- A lane that is slow is probed at once: somebody believes that it works again.
-- KEYS: 1-6 as in common; 7 lane, 8 lane-flight, 9 notification, 10 a key without which the lane is no more,
--       11 lane-state
-- ARGV: id, lane id, now ms
-- Returns 1, or 0 when the notification or the lane is no more.
local id, lane = ARGV[1], ARGV[2]
if redis.call('EXISTS', KEYS[9]) == 0 or redis.call('EXISTS', KEYS[10]) == 0 then return 0 end
redis.call('HSET', KEYS[1], lane .. ':tries', 0)
redis.call('HDEL', KEYS[1], lane .. ':next')
redis.call('HDEL', KEYS[11], 'probe_at')
set_status(id, lane, 'pending')
for _, member in ipairs(redis.call('ZRANGE', KEYS[8], 0, -1)) do
  if string.sub(member, 1, #id + 1) == id .. ' ' and redis.call('ZSCORE', KEYS[7], id) then return 1 end
end
redis.call('ZADD', KEYS[7], ARGV[3], id)
return 1
