-- Append notifications to the stream, each once: the newest entry of each cell's fan-out that was appended is marked.
-- KEYS: stream, stream-progress
-- ARGV: 1 about how many entries the stream keeps; then for each notification, in the order of its cell: cell, entry of
--       the fan-out, body ('' when it is not to be appended)
-- Returns the id of each new entry, or ''.
local function parts(entry)
  local dash = string.find(entry, '-', 1, true)
  return tonumber(string.sub(entry, 1, dash - 1)), tonumber(string.sub(entry, dash + 1))
end

local function is_newer(entry, last)
  if not last then return true end
  local ms, number = parts(entry)
  local last_ms, last_number = parts(last)
  return ms > last_ms or (ms == last_ms and number > last_number)
end

local added = {}
for at = 2, #ARGV, 3 do
  local cell, entry, body = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local id = ''
  if is_newer(entry, redis.call('HGET', KEYS[2], cell)) then
    if body ~= '' then
      id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'notification', body)
    end
    redis.call('HSET', KEYS[2], cell, entry)
  end
  added[#added + 1] = id
end
return added
