-- Claim due deliveries of a lane in a cell; no other process gets them until the lease ends.
-- KEYS: lane, lane-flight; then for each delivery: notification, deliveries, and when ordered the outbox-of its
--       connection
-- ARGV: 1 lane id, 2 now ms, 3 end of the lease ms, 4 token, 5 the most to claim, 6 "1" when ordered; then the ids
-- Returns for each delivery {notification, attempts so far}; {} when it is due no more, or erased; a time (ms)
-- until which an older notification of the same connection comes first; or an error.
local now, left, ordered = tonumber(ARGV[2]), tonumber(ARGV[5]), ARGV[6] == '1'

-- The time of the next attempt of an older notification of the same connection.
local function blocked_until(id, line)
  local score = redis.call('ZSCORE', line, id)
  if not score then return nil end
  for _, older in ipairs(redis.call('ZREVRANGEBYSCORE', line, '(' .. score, '-inf', 'LIMIT', 0, 200)) do
    local due = redis.call('ZSCORE', KEYS[1], older)
    if due then return math.max(tonumber(due), now) + 1 end
  end
  return nil
end

local function claim(id, notification, deliveries, line)
  local due = redis.call('ZSCORE', KEYS[1], id)
  if left <= 0 or not due or tonumber(due) > now then return {} end
  redis.call('ZADD', KEYS[1], ARGV[3], id)
  local record = redis.call('GET', notification)
  if not record then
    redis.call('ZREM', KEYS[1], id)
    return {}
  end
  local tries = redis.call('HGET', deliveries, ARGV[1] .. ':tries') or ''
  tries = string.match(tries, '^%d%d?%d?%d?$') or '0' -- a damaged number is counted anew
  local later = ordered and blocked_until(id, line) or nil
  if later then
    redis.call('ZADD', KEYS[1], later, id)
    return later
  end
  redis.call('ZADD', KEYS[2], ARGV[3], id .. ' ' .. ARGV[4])
  left = left - 1
  return {record, tries}
end

local rows, size = {}, ordered and 3 or 2
for index = 7, #ARGV do
  local at = 3 + size * (index - 7)
  rows[index - 6] = try(claim, ARGV[index], KEYS[at], KEYS[at + 1], ordered and KEYS[at + 2])
end
return rows
