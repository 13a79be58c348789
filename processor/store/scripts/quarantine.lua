-- Store an authentic message that is not recognised, once, outside of the inbox.
-- KEYS: messages, repeats, events, events:quarantined
-- ARGV: event id, received ms, record
-- Returns 1 if it was stored, 0 if it is a duplicate, which is a write too: see acknowledgement.py.
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[3]) == 0 then
  redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
  return 0
end
for index = 4, 3, -1 do
  local reply = redis.pcall('ZADD', KEYS[index], ARGV[2], ARGV[1])
  if type(reply) == 'table' then -- nobody would see it: when it is sent again it must not be a duplicate
    redis.call('HDEL', KEYS[1], ARGV[1])
    return reply
  end
end
return 1
