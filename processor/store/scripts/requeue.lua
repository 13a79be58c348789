-- Put a stored message into the inbox of its cell again, for a replay or a retry.
-- KEYS: messages, events:<old status>, retries, inbox, wake
-- ARGV: event id, wake ms, code of the required status ('': any), beginning of the record from now on
-- Returns {put, cell needs a wake-up}; put is 0 if the message is gone or has another status.
local record = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if not record or (ARGV[3] ~= '' and string.sub(record, 1, 1) ~= ARGV[3]) then return {0, 0} end
redis.call('XADD', KEYS[4], '*', 'id', ARGV[1]) -- if it is refused, the message keeps its status
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4] .. string.sub(record, #ARGV[4] + 1))
if redis.call('SET', KEYS[5], 'asked', 'NX', 'PX', ARGV[2]) then return {1, 1} end
return {1, 0}
