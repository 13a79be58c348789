-- Accept one message of a cell: detect a duplicate, store it, and append it to the inbox.
-- KEYS: seen, event, events, events:pending, inbox, wake, events:quarantined, company-events (no company: nothing),
--       events:discarded
-- ARGV: event id, dedupe s (0: the message itself is kept as long), retention s, received ms, wake ms,
--       field, value, ...
-- Returns {stored, cell needs a wake-up}, both 0 or 1. A duplicate is a write too: see acknowledgement.py.
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then
  -- Only a message that was not recognised has no source: it is accepted if it is recognised now.
  if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HEXISTS', KEYS[2], 'source') == 1 then
    if redis.call('HINCRBY', KEYS[2], 'duplicates', 1) == 1 and redis.call('HLEN', KEYS[2]) == 1 then
      redis.call('DEL', KEYS[2])
    end
    return {0, 0}
  end
  redis.call('ZREM', KEYS[7], ARGV[1])
  redis.call('ZREM', KEYS[9], ARGV[1])
  redis.call('HDEL', KEYS[2], 'error')
end
if ARGV[2] ~= '0' then
  redis.call('SET', KEYS[1], '1', 'EX', ARGV[2])
end
redis.call('HSET', KEYS[2], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('XADD', KEYS[5], '*', 'id', ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])
if string.sub(KEYS[8], -8) ~= ':nothing' then
  redis.call('ZADD', KEYS[8], ARGV[4], ARGV[1])
  redis.call('EXPIRE', KEYS[8], ARGV[3])
  if ARGV[4] % 16 == 0 then -- often enough to keep it short
    redis.call('ZREMRANGEBYSCORE', KEYS[8], '-inf', ARGV[4] - ARGV[3] * 1000)
  end
end
if redis.call('SET', KEYS[6], 'asked', 'NX', 'PX', ARGV[5]) then
  return {1, 1}
end
return {1, 0}
