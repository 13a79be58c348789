-- Shared by all: what is known of one notification's deliveries, and the indexes by status.
-- KEYS 1-6: deliveries, outbox, outbox:pending, outbox:delivered, outbox:dead, dead-deliveries
-- The hash has, for each lane: <lane>:status (pending, delivered, dead, cancelled), <lane>:tries (attempts
-- since it was put there), <lane>:total (attempts ever), <lane>:attempt:<n>, <lane>:next; and n:<status>.
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
  local overall
  for _, one in ipairs({'delivered', 'dead', 'pending'}) do
    if tonumber(redis.call('HGET', KEYS[1], 'n:' .. one) or '0') > 0 then overall = one end
  end
  for place, one in ipairs({'pending', 'delivered', 'dead'}) do
    if one == overall then
      redis.call('ZADD', KEYS[place + 2], score, id)
    else
      redis.call('ZREM', KEYS[place + 2], id)
    end
  end
  if status == 'dead' then
    redis.call('ZADD', KEYS[6], score, id .. ' ' .. lane)
  else
    redis.call('ZREM', KEYS[6], id .. ' ' .. lane)
  end
end
