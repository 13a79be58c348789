-- How much waits in lanes of a cell.
-- KEYS: for each lane: lane, lane-flight
-- ARGV: now ms
-- Returns for each lane {waiting, under way, when the first one is due (ms, '' for never)}.
local rows = {}
for index = 1, #KEYS, 2 do
  local first = redis.call('ZRANGE', KEYS[index], 0, 0, 'WITHSCORES')
  local under_way = redis.call('ZCOUNT', KEYS[index + 1], ARGV[1], '+inf')
  rows[#rows + 1] = {redis.call('ZCARD', KEYS[index]), under_way, first[2] or ''}
end
return rows
