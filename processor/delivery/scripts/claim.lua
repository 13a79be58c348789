-- Claim due deliveries of a lane; no other process gets them until the lease ends.
-- KEYS: lane, lane-flight, lane-state, guard of the lane (see fan_out.lua)
-- ARGV: 1 now ms, 2 most under way, 3 end of the lease ms, 4 token, 5 most a second (0: any number); when ordered
--       also 6 lane id, 7 prefix of deliveries, 8 prefix of notification, 9 prefix of outbox-of
-- Returns {when to look again (ms, '' for never), "1" when more is due, id, ...}.
local now, ordered = tonumber(ARGV[1]), ARGV[6]
local function first(from, to)
  return redis.call('ZRANGEBYSCORE', KEYS[1], from, to, 'WITHSCORES', 'LIMIT', 0, 1)[2]
end
local mode = redis.call('HGET', KEYS[3], 'mode') or 'active'
if redis.call('EXISTS', KEYS[4]) == 0 or (mode ~= 'active' and mode ~= 'slow') then return {'', ''} end
if not first('-inf', now) then return {first(now, '+inf') or '', ''} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local under_way = redis.call('ZCARD', KEYS[2])
local room = tonumber(ARGV[2]) - under_way
if mode == 'slow' then
  local probe_at = redis.call('HGET', KEYS[3], 'probe_at') or '0'
  if now < tonumber(probe_at) then return {probe_at, ''} end
  room = 1 - under_way
end

-- The rate: <free_at> is when the next attempt may begin. What was not used is kept for 100 ms, so that several
-- begin with one look.
local pause = tonumber(ARGV[5]) > 0 and 1000 / tonumber(ARGV[5])
local free_at = 0
if pause then
  local kept = tonumber(redis.call('HGET', KEYS[3], 'free_at') or '0')
  free_at = math.max(kept, now - math.max(0, 100 - pause))
  if free_at > now then return {string.format('%d', math.ceil(free_at)), ''} end
  room = math.min(room, math.floor((now - free_at) / pause) + 1)
end

-- When ordered: the time of the next attempt of an older notification of the same connection.
local function blocked_until(id)
  local connection = redis.call('HGET', ARGV[8] .. id, 'connection_id')
  if not connection or connection == '' then return nil end
  local line = ARGV[9] .. connection
  local score = redis.call('ZSCORE', line, id)
  if not score then return nil end
  for _, older in ipairs(redis.call('ZREVRANGEBYSCORE', line, '(' .. score, '-inf', 'LIMIT', 0, 200)) do
    if redis.call('HGET', ARGV[7] .. older, ARGV[6] .. ':status') == 'pending' then
      local due = redis.call('ZSCORE', KEYS[1], older)
      if due then return math.max(tonumber(due), now) + 1 end
    end
  end
  return nil
end

local reply = {'', ''}
local most = ordered and 100 or room
for _, id in ipairs(room > 0 and redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most) or {}) do
  if #reply - 2 >= room then break end
  local later = ordered and blocked_until(id) or nil
  if later then
    redis.call('ZADD', KEYS[1], later, id)
  else
    redis.call('ZADD', KEYS[1], ARGV[3], id)
    redis.call('ZADD', KEYS[2], ARGV[3], id .. ' ' .. ARGV[4])
    reply[#reply + 1] = id
  end
end
if mode == 'slow' and #reply > 2 then redis.call('HSET', KEYS[3], 'probe_at', ARGV[3]) end
reply[1] = first('(' .. now, '+inf') or ''
if first('-inf', now) then reply[2] = '1' end
if pause and #reply > 2 then
  free_at = free_at + pause * (#reply - 2)
  redis.call('HSET', KEYS[3], 'free_at', string.format('%.3f', free_at))
end
if pause and reply[2] == '1' and free_at > now then
  reply[1] = string.format('%d', math.min(math.ceil(free_at), tonumber(reply[1]) or math.huge))
  reply[2] = ''
end
return reply
