-- Give back a claimed delivery whose attempt was not completed.
-- KEYS: lane, lane-flight
-- ARGV: id, token, now ms
if redis.call('ZREM', KEYS[2], ARGV[1] .. ' ' .. ARGV[2]) == 1 then
  redis.call('ZADD', KEYS[1], 'XX', ARGV[3], ARGV[1])
end
