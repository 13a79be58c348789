-- Shared by the scripts that change statuses: the deliveries of notifications, and the indexes by status.
-- KEYS 1-6: outbox, outbox:pending, outbox:delivered, outbox:dead, outbox:uncertain, dead-deliveries
-- The hash of a notification's deliveries has, for each lane: <lane>:status (pending, delivered, dead, uncertain,
-- cancelled), <lane>:tries (attempts since it was queued), <lane>:total (attempts ever), <lane>:attempt:<n>,
-- <lane>:next, <lane>:asked (the receiver asked for the time), <lane>:sent:<recipient> (see log_send.lua); and
-- n:<status>.
-- A notification is in the lists pending, dead and uncertain while one of its deliveries is; in the list
-- delivered when one of them is and the others are neither pending, dead nor uncertain.
local function list(deliveries, id, score)
  local counts = redis.call('HMGET', deliveries, 'n:pending', 'n:delivered', 'n:dead', 'n:uncertain')
  for index = 1, 4 do counts[index] = tonumber(counts[index] or '0') end
  local open = counts[1] + counts[3] + counts[4]
  for index, count in ipairs(counts) do
    if count > 0 and (index ~= 2 or open == 0) then
      redis.call('ZADD', KEYS[index + 1], score, id)
    else
      redis.call('ZREM', KEYS[index + 1], id)
    end
  end
end

local function set_status(deliveries, id, lane, status)
  local name = lane .. ':status'
  local before = redis.call('HGET', deliveries, name)
  if before == status then return end
  if before then redis.call('HINCRBY', deliveries, 'n:' .. before, -1) end
  redis.call('HSET', deliveries, name, status)
  redis.call('HINCRBY', deliveries, 'n:' .. status, 1)
  if status ~= 'pending' then redis.call('HDEL', deliveries, lane .. ':next') end
  local score = redis.call('ZSCORE', KEYS[1], id)
  if not score then return end
  list(deliveries, id, score)
  if status == 'dead' then
    redis.call('ZADD', KEYS[6], score, id .. ' ' .. lane)
  elseif before == 'dead' then
    redis.call('ZREM', KEYS[6], id .. ' ' .. lane)
  end
end

-- A receiver works again: waiting retries are due now, except where the receiver asked for a pause
-- (<lane>:asked) or the attempt is under way.
local function bring_forward(lane_key, flight_key, lane, now, deliveries_prefix)
  local under_way = {}
  for _, member in ipairs(redis.call('ZRANGE', flight_key, 0, -1)) do
    under_way[string.match(member, '^%S+')] = true
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', lane_key, '(' .. now, '+inf', 'LIMIT', 0, 1000)) do
    local name = deliveries_prefix .. id
    if not under_way[id] and redis.call('HEXISTS', name, lane .. ':asked') == 0 then
      redis.call('ZADD', lane_key, 'XX', now, id)
      if redis.call('HEXISTS', name, lane .. ':next') == 1 then
        redis.call('HSET', name, lane .. ':next', now)
      end
    end
  end
end
