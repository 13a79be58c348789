-- Record attempts in one lane of a cell, and their consequences for the deliveries.
-- KEYS: 1-6 as in common; 7 lane, 8 lane-flight; then for each attempt: deliveries, notification, outbox-of its
--       connection
-- ARGV: 1 lane id, 2 token, 3 now ms, 4 attempts kept, 5 "1" when ordered; then for each attempt: id, verdict
--       (delivered, again, dead, uncertain, gone, cancelled), next attempt ms, the attempt as JSON, "1" when the receiver asked
--       for the time
-- Returns for each attempt the id of the next notification of the same connection, which may have waited for this
-- one, or ''; 0 when the notification was erased; or an error. Damaged numbers are counted anew.
local lane = ARGV[1]

local function next_in_line(line, id)
  local score = redis.call('ZSCORE', line, id)
  for _, newer in ipairs(score and redis.call('ZRANGEBYSCORE', line, '(' .. score, '+inf', 'LIMIT', 0, 200) or {}) do
    if redis.call('ZSCORE', KEYS[7], newer) then return newer end
  end
  return ''
end

local function settle(at, deliveries, notification, line)
  local id, verdict, attempt = ARGV[at], ARGV[at + 1], ARGV[at + 3]
  local mine = redis.call('ZREM', KEYS[8], id .. ' ' .. ARGV[2]) == 1
  local total, status = unpack(redis.call('HMGET', deliveries, lane .. ':total', lane .. ':status'))

  -- Recorded already, and the lease given back: the reply was lost with its connection, and the client
  -- repeated the command.
  if not mine and total and redis.call('HGET', deliveries, lane .. ':attempt:' .. total) == attempt then return '' end
  if redis.call('EXISTS', notification) == 0 then
    redis.call('ZREM', KEYS[7], id)
    return 0
  end
  total = tonumber(string.match(total or '', '^%d%d?%d?%d?%d?%d?$') or '0') + 1
  redis.call('HSET', deliveries, lane .. ':total', total, lane .. ':attempt:' .. total, attempt)
  if total > tonumber(ARGV[4]) then
    redis.call('HDEL', deliveries, lane .. ':attempt:' .. (total - tonumber(ARGV[4])))
  end
  if type(redis.pcall('HINCRBY', deliveries, lane .. ':tries', 1)) ~= 'number' then
    redis.call('HSET', deliveries, lane .. ':tries', 1)
  end

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
      if ARGV[at + 4] == '1' then redis.call('HSET', deliveries, lane .. ':asked', '1') end
    end
  else
    redis.call('ZREM', KEYS[7], id)
    set_status(deliveries, id, lane, verdict == 'gone' and 'dead' or verdict)
  end
  return verdict ~= 'again' and ARGV[5] == '1' and next_in_line(line, id) or ''
end

local replies = {}
for number = 0, (#ARGV - 5) / 5 - 1 do
  replies[number + 1] = try(settle, 6 + 5 * number, unpack(KEYS, 9 + 3 * number, 11 + 3 * number))
end
return replies
