-- Mark a message that cannot be handled as discarded; its error is kept.
-- KEYS: messages, events, events:<status>, events:discarded
-- ARGV: event id, code of the status it must have, code from now on
-- Returns 1 if it was discarded, 0 if it is gone or has another status.
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record or string.sub(record, 1, 1) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. string.sub(record, 2))
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0, ARGV[1])
return 1
