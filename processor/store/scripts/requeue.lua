-- Put a stored message into the inbox of its cell again, for a replay or a retry.
-- KEYS: event, events:pending, events:<old status>, retries, inbox, wake,
--       seen ('': already set), company-events ('': already a member, or no company)
-- ARGV: event id, wake ms, required status ('': any), dedupe s (0: not needed), retention s, field, value, ...
-- Returns {put, cell needs a wake-up}; put is 0 if the message is gone or has another status.
local status = redis.call('HGET', KEYS[1], 'status')
if not status or (ARGV[3] ~= '' and status ~= ARGV[3]) then
  redis.call('ZREM', KEYS[4], ARGV[1])
  return {0, 0}
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('HSET', KEYS[1], 'status', 'pending', unpack(ARGV, 6))
local received_ms = redis.call('HGET', KEYS[1], 'received_ms')
redis.call('ZADD', KEYS[2], received_ms, ARGV[1])
if KEYS[7] ~= '' and ARGV[4] ~= '0' then
  redis.call('SET', KEYS[7], '1', 'NX', 'EX', ARGV[4])
end
if KEYS[8] ~= '' then
  redis.call('ZADD', KEYS[8], received_ms, ARGV[1])
  redis.call('EXPIRE', KEYS[8], ARGV[5])
end
redis.call('XADD', KEYS[5], '*', 'id', ARGV[1])
if redis.call('SET', KEYS[6], 'asked', 'NX', 'PX', ARGV[2]) then
  return {1, 1}
end
return {1, 0}
