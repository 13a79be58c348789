-- Renew the leases of deliveries that are still under way.
-- KEYS: lane, lane-flight
-- ARGV: end of the lease ms, token, id, ...
for index = 3, #ARGV do
  local member = ARGV[index] .. ' ' .. ARGV[2]
  if redis.call('ZSCORE', KEYS[2], member) then
    redis.call('ZADD', KEYS[2], ARGV[1], member)
    redis.call('ZADD', KEYS[1], 'XX', ARGV[1], ARGV[index])
  end
end
