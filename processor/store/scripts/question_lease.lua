-- Lease due questions: their time moves to the end of the lease.
-- KEYS: questions, question-details, questions-again
-- ARGV: now ms, limit, lease ms
-- Returns {question, details, question, details, ...}.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
local taken = {}
for _, question in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[3], question)
  redis.call('HDEL', KEYS[3], question)
  taken[#taken + 1] = question
  taken[#taken + 1] = redis.call('HGET', KEYS[2], question) or ''
end
return taken
