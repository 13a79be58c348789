-- Put the oldest notification of the fan-out list into its lanes, once, and remove it from the list.
-- KEYS: 1-6 as in common; 7 fan-out, 8 deliveries; then for each lane: the lane, its state, and its guard (a key
--       whose deletion invalidates the lane)
-- ARGV: notification id, now ms, lane id, ...
-- Returns 1, or 0 when another notification is the oldest: another process fanned this one out.
if redis.call('LINDEX', KEYS[7], 0) ~= ARGV[1] then return 0 end
redis.call('LPOP', KEYS[7])
local count = 0
for index = 3, #ARGV do
  local name, at = ARGV[index] .. ':status', 3 * index
  local mode = redis.call('HGET', KEYS[at + 1], 'mode')
  if mode ~= 'disabled' and mode ~= 'gone' and redis.call('EXISTS', KEYS[at + 2]) == 1
    and redis.call('HSETNX', KEYS[8], name, 'pending') == 1 then
    redis.call('ZADD', KEYS[at], ARGV[2], ARGV[1])
    count = count + 1
  end
end
if count > 0 then
  redis.call('HINCRBY', KEYS[8], 'n:pending', count)
  local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if score then list(KEYS[8], ARGV[1], score) end
end
return 1
