-- Give up a delivery.
-- KEYS: 1-6 as in common; 7 deliveries, 8 lane
-- ARGV: id, lane id, status (dead, cancelled)
redis.call('ZREM', KEYS[8], ARGV[1])
if redis.call('HGET', KEYS[7], ARGV[2] .. ':status') == 'pending' then
  set_status(KEYS[7], ARGV[1], ARGV[2], ARGV[3])
  return 1
end
return 0
