-- Record attempts in one lane, and their consequences for the deliveries and for the lane.
-- KEYS: 1-6 as in common; 7 lane, 8 lane-flight, 9 lane-state; then for each attempt: deliveries, notification,
--       outbox-of its connection, guard of the lane (see fan_out.lua)
-- ARGV: 1 lane id, 2 token, 3 now ms, 4 attempts kept, 5 failures until a lane is slow, 6 first pause between probes
--       ms, 7 longest, 8 failing for so long ms is paused, 9 prefix of deliveries, 10 "1" when ordered; then for each
--       attempt: id, verdict (delivered, again, dead, uncertain, gone), next attempt ms, the attempt as JSON, "1"
--       when the failure counts against the lane, "1" when the receiver asked for the time
local lane, now, prefix = ARGV[1], ARGV[3], ARGV[9]

-- The next notification of the same connection may have waited for this one.
local function let_next_go(line, id)
  local score = redis.call('ZSCORE', line, id)
  for _, newer in ipairs(score and redis.call('ZRANGEBYSCORE', line, '(' .. score, '+inf', 'LIMIT', 0, 200) or {}) do
    local status, tries = unpack(redis.call('HMGET', prefix .. newer, lane .. ':status', lane .. ':tries'))
    if status == 'pending' then
      for _, member in ipairs(redis.call('ZRANGE', KEYS[8], 0, -1)) do
        if string.sub(member, 1, #newer + 1) == newer .. ' ' then return end
      end
      if (tries or '0') == '0' then redis.call('ZADD', KEYS[7], 'XX', now, newer) end
      return
    end
  end
end

local function count_failure(mode)
  local failures = redis.call('HINCRBY', KEYS[9], 'failures', 1)
  redis.call('HSETNX', KEYS[9], 'failing_since', now)
  local since = tonumber(redis.call('HGET', KEYS[9], 'failing_since'))
  if mode == 'active' and failures >= tonumber(ARGV[5]) then mode = 'slow' end
  if mode == 'slow' then
    local pause = tonumber(redis.call('HGET', KEYS[9], 'probe_pause') or ARGV[6])
    redis.call('HSET', KEYS[9], 'probe_at', now + pause, 'probe_pause', math.min(2 * pause, tonumber(ARGV[7])))
  end
  if (mode == 'active' or mode == 'slow') and now - since >= tonumber(ARGV[8]) then
    mode = 'paused'
    redis.call('HSET', KEYS[9], 'since', now)
  end
  return mode
end

local function change_lane(verdict, attempt, counts)
  local before = redis.call('HGET', KEYS[9], 'mode') or 'active'
  local mode = before
  redis.call('HSET', KEYS[9], 'last_attempt', attempt)
  if verdict == 'gone' then
    mode = 'gone'
    redis.call('HSET', KEYS[9], 'since', now)
  elseif verdict == 'delivered' then
    redis.call('HINCRBY', KEYS[9], 'delivered', 1)
    redis.call('HDEL', KEYS[9], 'failures', 'failing_since', 'probe_at', 'probe_pause')
    if mode == 'slow' then
      mode = 'active'
      bring_forward(KEYS[7], KEYS[8], lane, now, prefix)
    end
  elseif counts then
    mode = count_failure(mode)
  end
  if verdict == 'dead' or verdict == 'gone' then redis.call('HINCRBY', KEYS[9], 'dead', 1) end
  if verdict == 'uncertain' then redis.call('HINCRBY', KEYS[9], 'uncertain', 1) end
  if mode ~= before then redis.call('HSET', KEYS[9], 'mode', mode) end
end

local function settle(at, deliveries, notification, line, guard)
  local id, verdict, attempt = ARGV[at], ARGV[at + 1], ARGV[at + 3]
  local mine = redis.call('ZREM', KEYS[8], id .. ' ' .. ARGV[2]) == 1
  local total, status = unpack(redis.call('HMGET', deliveries, lane .. ':total', lane .. ':status'))

  -- Recorded already, and the lease given back: the reply was lost with its connection, and the client
  -- repeated the command.
  if not mine and total and redis.call('HGET', deliveries, lane .. ':attempt:' .. total) == attempt then return end
  if redis.call('EXISTS', notification) == 0 then
    redis.call('ZREM', KEYS[7], id)
    return
  end
  total = tonumber(total or '0') + 1
  redis.call('HSET', deliveries, lane .. ':total', total, lane .. ':attempt:' .. total, attempt)
  if total > tonumber(ARGV[4]) then
    redis.call('HDEL', deliveries, lane .. ':attempt:' .. (total - tonumber(ARGV[4])))
  end
  redis.call('HINCRBY', deliveries, lane .. ':tries', 1)

  if verdict == 'delivered' then
    redis.call('ZREM', KEYS[7], id)
    set_status(deliveries, id, lane, 'delivered')
  elseif status ~= 'pending' then
    if mine then redis.call('ZREM', KEYS[7], id) end
  elseif verdict == 'again' then
    if mine then
      redis.call('ZADD', KEYS[7], 'XX', ARGV[at + 2], id)
      redis.call('HSET', deliveries, lane .. ':next', ARGV[at + 2])
      redis.call('HDEL', deliveries, lane .. ':asked')
      if ARGV[at + 5] == '1' then redis.call('HSET', deliveries, lane .. ':asked', '1') end
    end
  else
    redis.call('ZREM', KEYS[7], id)
    set_status(deliveries, id, lane, verdict == 'uncertain' and 'uncertain' or 'dead')
  end
  if verdict ~= 'again' and ARGV[10] == '1' then let_next_go(line, id) end
  if redis.call('EXISTS', guard) == 1 then change_lane(verdict, attempt, ARGV[at + 4] == '1') end
end

for number = 0, (#ARGV - 10) / 6 - 1 do
  settle(11 + 6 * number, unpack(KEYS, 10 + 4 * number, 13 + 4 * number))
end
