-- What is due in lanes of a cell, and how much is under way.
-- KEYS: for each lane: lane, lane-flight
-- ARGV: now ms; then for each lane: the most ids to return
-- Returns for each lane {under way, when something else is due (ms, '' for never), {id, due ms, ...}}, or an error.
local now = ARGV[1]

local function peek(lane, flight, most)
  local due = redis.call('ZRANGEBYSCORE', lane, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
  local later = redis.call('ZRANGEBYSCORE', lane, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if due[1] then redis.call('ZREMRANGEBYSCORE', flight, '-inf', now) end
  return {redis.call('ZCOUNT', flight, now, '+inf'), later[2] or '', due}
end

local rows = {}
for index = 1, #ARGV - 1 do
  rows[index] = try(peek, KEYS[2 * index - 1], KEYS[2 * index], ARGV[index + 1])
end
return rows
