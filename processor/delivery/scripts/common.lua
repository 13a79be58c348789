-- Shared by the scripts that change statuses: the deliveries of notifications, and the indexes by status.
-- KEYS 1-6, all of one cell: outbox, outbox:pending, outbox:delivered, outbox:dead, outbox:uncertain, dead-deliveries
-- The hash of a notification's deliveries has, for each lane: <lane>:status (pending, delivered, dead, uncertain,
-- cancelled), <lane>:tries (attempts since it was queued), <lane>:total (attempts ever), <lane>:attempt:<n>,
-- <lane>:next, <lane>:asked (the receiver asked for the time), <lane>:sent:<recipient> (see log_send.lua); and
-- n:<status>.
-- A notification is in the lists pending, dead and uncertain while one of its deliveries is; in the list
-- delivered when one of them is and the others are neither pending, dead nor uncertain.
local function list(deliveries, id, score)
  local counts = redis.call('HMGET', deliveries, 'n:pending', 'n:delivered', 'n:dead', 'n:uncertain')
  for index = 1, 4 do counts[index] = tonumber(counts[index] or '0') or 0 end
  local open = counts[1] + counts[3] + counts[4]
  for index, count in ipairs(counts) do
    if count > 0 and (index ~= 2 or open == 0) then
      redis.call('ZADD', KEYS[index + 1], score, id)
    else
      redis.call('ZREM', KEYS[index + 1], id)
    end
  end
end

-- Change the number of deliveries with a status after some got it or lost it. One that is no number is counted anew; returns
-- an error then, as of a key of another type.
local function change_count(deliveries, status, change)
  local name, count = 'n:' .. status, 0
  if type(redis.pcall('HINCRBY', deliveries, name, change)) == 'number' then return end
  local fields = redis.call('HGETALL', deliveries)
  for index = 1, #fields, 2 do
    if string.sub(fields[index], -7) == ':status' and fields[index + 1] == status then count = count + 1 end
  end
  redis.call('HSET', deliveries, name, count)
  return {err = 'WRONGTYPE ' .. name .. ' is not a number'}
end

local function set_status(deliveries, id, lane, status)
  local name = lane .. ':status'
  local before = redis.call('HGET', deliveries, name)
  if before == status then return end
  redis.call('HSET', deliveries, name, status)
  if before then change_count(deliveries, before, -1) end
  change_count(deliveries, status, 1)
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

-- The reply of a function that works on one record; the error where the record cannot be read.
local function try(call, ...)
  local is_well, reply = pcall(call, ...)
  if is_well then return reply end
  return type(reply) == 'table' and reply or {err = tostring(reply)}
end
