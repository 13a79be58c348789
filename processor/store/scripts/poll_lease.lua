-- Lease companies with a due poll: their time moves to the end of the lease.
-- KEYS: looks, look-pauses, looked, look-reasons
-- ARGV: now ms, limit, lease ms
-- Returns {company, pause, looked, reason, ...}; '' for a missing value.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
local taken = {}
for _, company in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[3], company)
  taken[#taken + 1] = company
  for place = 2, 4 do
    taken[#taken + 1] = redis.call('HGET', KEYS[place], company) or ''
  end
end
return taken
