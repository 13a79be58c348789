-- Put the oldest undivided notification into its lanes, once, and take it off the list.
-- KEYS: 1-7 as in common; 8 fan-out; then for each lane: the lane, and a key without which it is no more
-- ARGV: notification id, now ms, lane id, ...
-- Returns 1, or 0 when another notification is the oldest now: somebody else divided this one.
if redis.call('LINDEX', KEYS[8], 0) ~= ARGV[1] then return 0 end
redis.call('LPOP', KEYS[8])
for place = 3, #ARGV do
  local lane, at = ARGV[place], 2 * place + 3
  local known = redis.call('HEXISTS', KEYS[1], lane .. ':status') == 1
  if not known and redis.call('EXISTS', KEYS[at + 1]) == 1 then
    set_status(ARGV[1], lane, 'pending')
    redis.call('ZADD', KEYS[at], ARGV[2], ARGV[1])
  end
end
return 1
