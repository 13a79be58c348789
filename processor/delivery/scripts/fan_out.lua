-- Put the oldest notification of the fan-out list into its lanes, once, and remove it from the list.
-- KEYS: 1-7 as in common; 8 fan-out; then for each lane: the lane, and its guard (a key whose deletion invalidates the lane)
-- ARGV: notification id, now ms, lane id, ...
-- Returns 1, or 0 when another notification is the oldest: another process fanned this one out.
if redis.call('LINDEX', KEYS[8], 0) ~= ARGV[1] then return 0 end
redis.call('LPOP', KEYS[8])
for index = 3, #ARGV do
  local lane, at = ARGV[index], 2 * index + 3
  local exists = redis.call('HEXISTS', KEYS[1], lane .. ':status') == 1
  if not exists and redis.call('EXISTS', KEYS[at + 1]) == 1 then
    set_status(ARGV[1], lane, 'pending')
    redis.call('ZADD', KEYS[at], ARGV[2], ARGV[1])
  end
end
return 1
