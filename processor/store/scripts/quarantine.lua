-- Store an authentic message that is not recognised, once, outside of the inbox.
-- KEYS: event, events, events:quarantined
-- ARGV: event id, retention s, received ms, field, value, ...
-- Returns 1 if it was stored, 0 if it is a duplicate, which is a write too: see acknowledgement.py.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'duplicates', 1)
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return 1
