-- Put notifications of a cell into their lanes, each once, and then remove them from the fan-out.
-- KEYS: 1-6 as in common; 7 fan-out, 8 closed-lanes; then the lanes; then for each notification: deliveries, notification
-- ARGV: 1 now ms, 2 number of lanes; then their ids; then for each notification: entry of the fan-out, id, the numbers
--       of its lanes
-- Returns for each notification 1; 0 when another process did it; -1 when it was erased (it stays in the fan-out until it has
-- left the stream); an error after all other lanes have got it, where a lane refused it (it stays pending there) or its number
-- of pending deliveries was damaged. With any other error it stays in the fan-out.
local now, lanes, is_closed = ARGV[1], tonumber(ARGV[2]), {}
for lane = 1, lanes do is_closed[lane] = redis.call('SISMEMBER', KEYS[8], ARGV[2 + lane]) == 1 end

local function put(entry, id, numbers, deliveries, notification)
  if redis.call('EXISTS', notification) == 0 then return -1 end
  if #redis.call('XRANGE', KEYS[7], entry, entry) == 0 then return 0 end
  local count, failure = 0, nil
  for number in string.gmatch(numbers, '%d+') do
    local lane = tonumber(number)
    if not is_closed[lane] and redis.call('HSETNX', deliveries, ARGV[2 + lane] .. ':status', 'pending') == 1 then
      local reply = redis.pcall('ZADD', KEYS[8 + lane], now, id)
      if type(reply) == 'table' then failure = failure or reply end
      count = count + 1
    end
  end
  if count > 0 then
    failure = change_count(deliveries, 'pending', count) or failure
    local score = redis.call('ZSCORE', KEYS[1], id)
    if score then list(deliveries, id, score) end
  end
  redis.call('XDEL', KEYS[7], entry)
  return failure or 1
end

local replies = {}
for number = 1, (#ARGV - 2 - lanes) / 3 do
  local at, name = lanes + 3 * number, 7 + lanes + 2 * number
  replies[number] = try(put, ARGV[at], ARGV[at + 1], ARGV[at + 2], KEYS[name], KEYS[name + 1])
end
return replies
