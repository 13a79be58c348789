-- Remove an answered or abandoned question; a question that was requested again meanwhile waits again.
-- KEYS: questions, question-details, questions-again
-- ARGV: question
local again = redis.call('HGET', KEYS[3], ARGV[1])
if again then
  redis.call('ZADD', KEYS[1], cjson.decode(again)['not_before_ms'], ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], again)
  redis.call('HDEL', KEYS[3], ARGV[1])
  return 1
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 0
