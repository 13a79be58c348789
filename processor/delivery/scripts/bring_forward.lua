-- Make waiting deliveries of a lane in a cell due now, except where the receiver asked for a pause (<lane>:asked), or
-- the attempt is under way.
-- KEYS: lane, lane-flight; then the deliveries of each notification
-- ARGV: lane id, now ms, id, ...
local lane, now, under_way = ARGV[1], ARGV[2], {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  under_way[string.sub(member, 1, string.find(member, ' ', 1, true) - 1)] = true
end
for index = 3, #ARGV do
  local id, name = ARGV[index], KEYS[index]
  if not under_way[id] and redis.call('HEXISTS', name, lane .. ':asked') == 0 then
    redis.call('ZADD', KEYS[1], 'XX', now, id)
    if redis.call('HEXISTS', name, lane .. ':next') == 1 then redis.call('HSET', name, lane .. ':next', now) end
  end
end
