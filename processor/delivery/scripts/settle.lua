-- Record an attempt and its consequences for the delivery and its lane.
-- KEYS: 1-7 as in common; 8 lane, 9 lane-flight, 10 lane-state, 11 notification, 12 outbox-of its connection,
--       13 guard of the lane (see fan_out.lua)
-- ARGV: 1 id, 2 lane id, 3 token, 4 now ms, 5 verdict (delivered, again, dead, uncertain, gone), 6 next attempt ms,
--       7 the attempt as JSON, 8 attempts kept, 9 "1" when the failure counts against the lane,
--       10 failures until a lane is slow, 11 first pause between probes ms, 12 longest,
--       13 failing for so long ms is paused, 14 prefix of deliveries, 15 "1" when the receiver asked for the time
-- Returns nothing.
local id, lane, now, verdict = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5]
local mine = redis.call('ZREM', KEYS[9], id .. ' ' .. ARGV[3]) == 1
local before = redis.call('HGET', KEYS[10], 'mode') or 'active'

-- Recorded already, and the lease given back: the reply was lost with its connection, and the client
-- repeated the command.
local total = redis.call('HGET', KEYS[1], lane .. ':total')
if not mine and total and redis.call('HGET', KEYS[1], lane .. ':attempt:' .. total) == ARGV[7] then
  return
end
if redis.call('EXISTS', KEYS[11]) == 0 then
  redis.call('ZREM', KEYS[8], id)
  return
end

local attempt = redis.call('HINCRBY', KEYS[1], lane .. ':total', 1)
redis.call('HSET', KEYS[1], lane .. ':attempt:' .. attempt, ARGV[7])
redis.call('HDEL', KEYS[1], lane .. ':attempt:' .. (attempt - tonumber(ARGV[8])))
redis.call('HINCRBY', KEYS[1], lane .. ':tries', 1)

local pending = redis.call('HGET', KEYS[1], lane .. ':status') == 'pending'
if verdict == 'delivered' then
  redis.call('ZREM', KEYS[8], id)
  set_status(id, lane, 'delivered')
elseif not pending then
  if mine then redis.call('ZREM', KEYS[8], id) end
elseif verdict == 'again' then
  if mine then
    redis.call('ZADD', KEYS[8], 'XX', ARGV[6], id)
    redis.call('HSET', KEYS[1], lane .. ':next', ARGV[6])
    redis.call('HDEL', KEYS[1], lane .. ':asked')
    if ARGV[15] == '1' then redis.call('HSET', KEYS[1], lane .. ':asked', '1') end
  end
else
  redis.call('ZREM', KEYS[8], id)
  set_status(id, lane, verdict == 'uncertain' and 'uncertain' or 'dead')
end

-- The next notification of the same connection may have waited for this one.
if verdict ~= 'again' then
  local score = redis.call('ZSCORE', KEYS[12], id)
  local newer = score and redis.call('ZRANGEBYSCORE', KEYS[12], '(' .. score, '+inf', 'LIMIT', 0, 200) or {}
  for _, newer_id in ipairs(newer) do
    local waits = redis.call('HGET', ARGV[14] .. newer_id, lane .. ':status') == 'pending'
    local tried = redis.call('HGET', ARGV[14] .. newer_id, lane .. ':tries') or '0'
    if waits then
      local under_way = false
      for _, member in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
        under_way = under_way or string.sub(member, 1, #newer_id + 1) == newer_id .. ' '
      end
      if tried == '0' and not under_way then redis.call('ZADD', KEYS[8], 'XX', ARGV[4], newer_id) end
      break
    end
  end
end

if redis.call('EXISTS', KEYS[13]) == 0 then return end
redis.call('HSET', KEYS[10], 'last_attempt', ARGV[7])
local mode = before
if verdict == 'gone' then
  mode = 'gone'
  redis.call('HSET', KEYS[10], 'since', ARGV[4])
elseif verdict == 'delivered' then
  redis.call('HINCRBY', KEYS[10], 'delivered', 1)
  redis.call('HDEL', KEYS[10], 'failures', 'failing_since', 'probe_at', 'probe_pause')
  if mode == 'slow' then
    mode = 'active'
    bring_forward(KEYS[8], KEYS[9], lane, ARGV[4], ARGV[14])
  end
elseif ARGV[9] == '1' then
  local failures = redis.call('HINCRBY', KEYS[10], 'failures', 1)
  redis.call('HSETNX', KEYS[10], 'failing_since', ARGV[4])
  local since = tonumber(redis.call('HGET', KEYS[10], 'failing_since'))
  if mode == 'active' and failures >= tonumber(ARGV[10]) then mode = 'slow' end
  if mode == 'slow' then
    local pause = tonumber(redis.call('HGET', KEYS[10], 'probe_pause') or ARGV[11])
    redis.call('HSET', KEYS[10], 'probe_at', now + pause)
    redis.call('HSET', KEYS[10], 'probe_pause', math.min(2 * pause, tonumber(ARGV[12])))
  end
  if (mode == 'active' or mode == 'slow') and now - since >= tonumber(ARGV[13]) then
    mode = 'paused'
    redis.call('HSET', KEYS[10], 'since', ARGV[4])
  end
end
if verdict == 'dead' or verdict == 'gone' then redis.call('HINCRBY', KEYS[10], 'dead', 1) end
if verdict == 'uncertain' then redis.call('HINCRBY', KEYS[10], 'uncertain', 1) end
if mode ~= before then redis.call('HSET', KEYS[10], 'mode', mode) end
