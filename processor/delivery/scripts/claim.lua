-- Claim due deliveries of a lane; no other process gets them until the lease ends.
-- KEYS: lane, lane-flight, lane-state
-- ARGV: 1 now ms, 2 most under way, 3 end of the lease ms, 4 token, 5 lane id, 6 "1" when ordered,
--       7 prefix of deliveries, 8 prefix of notification, 9 prefix of outbox-of
-- Returns {id, attempts so far, ...}.
local now, lane = tonumber(ARGV[1]), ARGV[5]
local mode = redis.call('HGET', KEYS[3], 'mode') or 'active'
if mode ~= 'active' and mode ~= 'slow' then return {} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local under_way = redis.call('ZCARD', KEYS[2])
local room = tonumber(ARGV[2]) - under_way
if mode == 'slow' then
  if now < tonumber(redis.call('HGET', KEYS[3], 'probe_at') or '0') then return {} end
  room = 1 - under_way
end
if room <= 0 then return {} end

-- When ordered: the time of the next attempt of an older notification of the same connection.
local function blocked_until(id)
  local connection = redis.call('HGET', ARGV[8] .. id, 'connection_id')
  if not connection or connection == '' then return nil end
  local line = ARGV[9] .. connection
  local score = redis.call('ZSCORE', line, id)
  if not score then return nil end
  for _, older in ipairs(redis.call('ZREVRANGEBYSCORE', line, '(' .. score, '-inf', 'LIMIT', 0, 200)) do
    if redis.call('HGET', ARGV[7] .. older, lane .. ':status') == 'pending' then
      local due = redis.call('ZSCORE', KEYS[1], older)
      if due then return math.max(tonumber(due), now) + 1 end
    end
  end
  return nil
end

local claimed = {}
local most = ARGV[6] == '1' and 100 or room
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most)) do
  if #claimed >= 2 * room then break end
  local later = ARGV[6] == '1' and blocked_until(id) or nil
  if later then
    redis.call('ZADD', KEYS[1], later, id)
  else
    redis.call('ZADD', KEYS[1], ARGV[3], id)
    redis.call('ZADD', KEYS[2], ARGV[3], id .. ' ' .. ARGV[4])
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = redis.call('HGET', ARGV[7] .. id, lane .. ':tries') or '0'
  end
end
if mode == 'slow' and #claimed > 0 then redis.call('HSET', KEYS[3], 'probe_at', ARGV[3]) end
return claimed
