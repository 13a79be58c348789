-- Lease due members of a sorted set: their time moves to the end of the lease.
-- KEYS: sorted set, then hashes by member
-- ARGV: now ms, limit, lease ms, number of the hashes that are read; the field of a member in the others is removed
-- Returns {member, value, ..., member, value, ...}; '' for a missing value.
local taken = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[3], member)
  taken[#taken + 1] = member
  for place = 2, #KEYS do
    if place - 1 <= tonumber(ARGV[4]) then
      taken[#taken + 1] = redis.call('HGET', KEYS[place], member) or ''
    else
      redis.call('HDEL', KEYS[place], member)
    end
  end
end
return taken
