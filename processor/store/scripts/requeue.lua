-- Put a stored message into the inbox of its cell again, for a replay or a retry.
-- KEYS: event, events:pending, events:<old status>, retries, inbox, wake
-- ARGV: event id, wake ms, required status ('': any), field, value, ...
-- Returns {put, cell needs a wake-up}; put is 0 if the message is gone or has another status.
local status = redis.call('HGET', KEYS[1], 'status')
if not status or (ARGV[3] ~= '' and status ~= ARGV[3]) then
  redis.call('ZREM', KEYS[4], ARGV[1])
  return {0, 0}
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('HSET', KEYS[1], 'status', 'pending', unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], redis.call('HGET', KEYS[1], 'received_ms'), ARGV[1])
redis.call('XADD', KEYS[5], '*', 'id', ARGV[1])
if redis.call('SET', KEYS[6], 'asked', 'NX', 'PX', ARGV[2]) then
  return {1, 1}
end
return {1, 0}
