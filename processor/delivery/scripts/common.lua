-- Shared by all scripts: the deliveries of one notification, and the indexes by status.
-- KEYS 1-7: deliveries, outbox, outbox:pending, outbox:delivered, outbox:dead, outbox:uncertain, dead-deliveries
-- The hash has, for each lane: <lane>:status (pending, delivered, dead, uncertain, cancelled), <lane>:tries
-- (attempts since it was queued), <lane>:total (attempts ever), <lane>:attempt:<n>, <lane>:next,
-- <lane>:asked (the receiver asked for the time), <lane>:sent:<recipient> (see log_send.lua); and n:<status>.
-- A notification is in the lists pending, dead and uncertain while one of its deliveries is; in the list
-- delivered when one of them is and the others are neither pending, dead nor uncertain.
local function set_status(id, lane, status)
  local name = lane .. ':status'
  local before = redis.call('HGET', KEYS[1], name)
  if before == status then return end
  if before then redis.call('HINCRBY', KEYS[1], 'n:' .. before, -1) end
  redis.call('HSET', KEYS[1], name, status)
  redis.call('HINCRBY', KEYS[1], 'n:' .. status, 1)
  if status ~= 'pending' then redis.call('HDEL', KEYS[1], lane .. ':next') end
  local score = redis.call('ZSCORE', KEYS[2], id)
  if not score then return end
  local function count(name) return tonumber(redis.call('HGET', KEYS[1], 'n:' .. name) or '0') end
  local open = count('pending') + count('dead') + count('uncertain')
  for index, listed in ipairs({'pending', 'delivered', 'dead', 'uncertain'}) do
    if count(listed) > 0 and (listed ~= 'delivered' or open == 0) then
      redis.call('ZADD', KEYS[index + 2], score, id)
    else
      redis.call('ZREM', KEYS[index + 2], id)
    end
  end
  if status == 'dead' then
    redis.call('ZADD', KEYS[7], score, id .. ' ' .. lane)
  else
    redis.call('ZREM', KEYS[7], id .. ' ' .. lane)
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
