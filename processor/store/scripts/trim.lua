-- Remove messages of a cell, except those with a status that stays: one may have been requeued meanwhile.
-- KEYS: cursor, messages, repeats; the number ARGV[1] of indexes of the cell; then for each message company-events
--       (no company: nothing)
-- ARGV: number of indexes, the codes of the statuses that stay, event ids
-- Returns for each message 1 if it was removed, else 0. The commit of a drain that is handling one of the cell fails,
-- so that it does not write a removed message again.
local indexes, removed, replies = tonumber(ARGV[1]), {}, {}
for number = 1, #ARGV - 2 do
  local id = ARGV[2 + number]
  local code = string.sub(redis.call('HGET', KEYS[2], id) or '', 1, 1)
  local stays = code ~= '' and string.find(ARGV[2], code, 1, true)
  replies[number] = stays and 0 or 1
  if not stays then
    removed[#removed + 1] = id
    redis.call('ZREM', KEYS[3 + indexes + number], id)
  end
end
if #removed > 0 then
  redis.call('INCR', KEYS[1])
  redis.call('HDEL', KEYS[2], unpack(removed))
  redis.call('HDEL', KEYS[3], unpack(removed))
  for index = 4, 3 + indexes do
    redis.call('ZREM', KEYS[index], unpack(removed))
  end
end
return replies
