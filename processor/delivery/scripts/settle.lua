-- Write down an attempt, what follows for the delivery, and what follows for its lane.
-- KEYS: 1-6 as in common; 7 lane, 8 lane-flight, 9 lane-state, 10 notification, 11 outbox-of its connection,
--       12 a key without which the lane is no more
-- ARGV: 1 id, 2 lane id, 3 token, 4 now ms, 5 verdict (delivered, again, dead, gone), 6 next attempt ms,
--       7 the attempt as JSON, 8 attempts kept, 9 "1" when the failure counts against the lane,
--       10 failures until a lane is slow, 11 first pause between probes ms, 12 longest,
--       13 failing for so long ms is paused, 14 prefix of deliveries
-- Returns {mode before, mode now}.
local id, lane, now, verdict = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5]
local mine = redis.call('ZREM', KEYS[8], id .. ' ' .. ARGV[3]) == 1
local before = redis.call('HGET', KEYS[9], 'mode') or 'active'

-- Written down already, and its lease given back: the answer was lost with its connection, and the
-- client sent it again.
local total = redis.call('HGET', KEYS[1], lane .. ':total')
if not mine and total and redis.call('HGET', KEYS[1], lane .. ':attempt:' .. total) == ARGV[7] then
  local moved = redis.call('HMGET', KEYS[9], 'moved_by', 'moved_from')
  return {moved[1] == id .. ' ' .. total and moved[2] or before, before}
end
if redis.call('EXISTS', KEYS[10]) == 0 then
  redis.call('ZREM', KEYS[7], id)
  return {before, before}
end

local attempt = redis.call('HINCRBY', KEYS[1], lane .. ':total', 1)
redis.call('HSET', KEYS[1], lane .. ':attempt:' .. attempt, ARGV[7])
redis.call('HDEL', KEYS[1], lane .. ':attempt:' .. (attempt - tonumber(ARGV[8])))
redis.call('HINCRBY', KEYS[1], lane .. ':tries', 1)

local pending = redis.call('HGET', KEYS[1], lane .. ':status') == 'pending'
if verdict == 'delivered' then
  redis.call('ZREM', KEYS[7], id)
  set_status(id, lane, 'delivered')
elseif not pending then
  if mine then redis.call('ZREM', KEYS[7], id) end
elseif verdict == 'again' then
  if mine then
    redis.call('ZADD', KEYS[7], 'XX', ARGV[6], id)
    redis.call('HSET', KEYS[1], lane .. ':next', ARGV[6])
  end
else
  redis.call('ZREM', KEYS[7], id)
  set_status(id, lane, 'dead')
end

-- The next of the same connection may have waited for this one.
if verdict ~= 'again' then
  local score = redis.call('ZSCORE', KEYS[11], id)
  local newer = score and redis.call('ZRANGEBYSCORE', KEYS[11], '(' .. score, '+inf', 'LIMIT', 0, 200) or {}
  for _, one in ipairs(newer) do
    local waits = redis.call('HGET', ARGV[14] .. one, lane .. ':status') == 'pending'
    local tried = redis.call('HGET', ARGV[14] .. one, lane .. ':tries') or '0'
    if waits then
      local flies = false
      for _, member in ipairs(redis.call('ZRANGE', KEYS[8], 0, -1)) do
        flies = flies or string.sub(member, 1, #one + 1) == one .. ' '
      end
      if tried == '0' and not flies then redis.call('ZADD', KEYS[7], 'XX', ARGV[4], one) end
      break
    end
  end
end

if redis.call('EXISTS', KEYS[12]) == 0 then return {before, before} end
redis.call('HSET', KEYS[9], 'last_attempt', ARGV[7])
local mode = before
if verdict == 'gone' then
  mode = 'gone'
  redis.call('HSET', KEYS[9], 'since', ARGV[4])
elseif verdict == 'delivered' then
  redis.call('HINCRBY', KEYS[9], 'delivered', 1)
  redis.call('HDEL', KEYS[9], 'failures', 'failing_since', 'probe_at', 'probe_pause')
  if mode == 'slow' then mode = 'active' end
elseif ARGV[9] == '1' then
  local failures = redis.call('HINCRBY', KEYS[9], 'failures', 1)
  redis.call('HSETNX', KEYS[9], 'failing_since', ARGV[4])
  local since = tonumber(redis.call('HGET', KEYS[9], 'failing_since'))
  if mode == 'active' and failures >= tonumber(ARGV[10]) then mode = 'slow' end
  if mode == 'slow' then
    local pause = tonumber(redis.call('HGET', KEYS[9], 'probe_pause') or ARGV[11])
    redis.call('HSET', KEYS[9], 'probe_at', now + pause)
    redis.call('HSET', KEYS[9], 'probe_pause', math.min(2 * pause, tonumber(ARGV[12])))
  end
  if (mode == 'active' or mode == 'slow') and now - since >= tonumber(ARGV[13]) then
    mode = 'paused'
    redis.call('HSET', KEYS[9], 'since', ARGV[4])
  end
end
if verdict == 'dead' or verdict == 'gone' then redis.call('HINCRBY', KEYS[9], 'dead', 1) end
if mode ~= before then
  redis.call('HSET', KEYS[9], 'mode', mode, 'moved_by', id .. ' ' .. attempt, 'moved_from', before)
end
return {before, mode}
