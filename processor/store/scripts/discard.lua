-- Mark a message that cannot be handled as discarded; its error is kept.
-- KEYS: event, events:<status>, events:discarded
-- ARGV: event id, status it must have
-- Returns 1 if it was discarded, 0 if it is gone or has another status.
if redis.call('HGET', KEYS[1], 'status') ~= ARGV[2] then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'status', 'discarded')
redis.call('ZADD', KEYS[3], redis.call('HGET', KEYS[1], 'received_ms'), ARGV[1])
return 1
