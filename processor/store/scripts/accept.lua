-- Accept one message: detect a duplicate, store it, and append it to the inbox of its cell.
-- KEYS: seen, event, events, events:pending, inbox, wake, events:quarantined, company-events ('': no company),
--       events:discarded
-- ARGV: event id, dedupe s, retention s, received ms, wake ms, field, value, ...
-- Returns {stored, cell needs a wake-up}, both 0 or 1.
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[2]) then
  redis.call('HINCRBY', KEYS[2], 'duplicates', 1)
  if redis.call('HLEN', KEYS[2]) == 1 then
    redis.call('DEL', KEYS[2])
  end
  return {0, 0}
end
if redis.call('ZREM', KEYS[7], ARGV[1]) + redis.call('ZREM', KEYS[9], ARGV[1]) > 0 then
  redis.call('HDEL', KEYS[2], 'error')
end
redis.call('HSET', KEYS[2], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])
if KEYS[8] ~= '' then
  redis.call('ZADD', KEYS[8], ARGV[4], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[8], '-inf', ARGV[4] - ARGV[3] * 1000)
  redis.call('EXPIRE', KEYS[8], ARGV[3])
end
redis.call('XADD', KEYS[5], '*', 'id', ARGV[1])
if redis.call('SET', KEYS[6], 'asked', 'NX', 'PX', ARGV[5]) then
  return {1, 1}
end
return {1, 0}
