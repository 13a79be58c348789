-- Close a message that cannot be handled: it is kept with its error, and no longer counted as open.
-- KEYS: event, events:<status>, events:discarded
-- ARGV: event id, status it must have
-- Returns 1 when it was discarded; 0 when the message is gone or has another status.
if redis.call('HGET', KEYS[1], 'status') ~= ARGV[2] then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'status', 'discarded')
redis.call('ZADD', KEYS[3], redis.call('HGET', KEYS[1], 'received_ms'), ARGV[1])
return 1
