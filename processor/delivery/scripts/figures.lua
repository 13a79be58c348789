-- How much waits in lanes of a cell.
-- KEYS: for each lane: lane, lane-flight
-- ARGV: now ms
-- Returns for each lane {waiting, under way, when the first one is due (ms, '' for never)}, or an error.
local function figures(lane, flight)
  local first = redis.call('ZRANGE', lane, 0, 0, 'WITHSCORES')
  return {redis.call('ZCARD', lane), redis.call('ZCOUNT', flight, ARGV[1], '+inf'), first[2] or ''}
end

local rows = {}
for index = 1, #KEYS, 2 do
  rows[#rows + 1] = try(figures, KEYS[index], KEYS[index + 1])
end
return rows
