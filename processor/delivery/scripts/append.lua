-- Append notifications of a cell to the stream, each once: the newest ones of each cell are remembered beside it.
-- KEYS: stream, published
-- ARGV: 1 about how many entries the stream keeps, 2 how many notifications are remembered, 3 the number of the newest
--       one before the fan-out was read, as far as is known, 4 how many may have followed; then for each notification:
--       id, body ('' when it is not to be appended)
-- Returns the number of the newest one, then for each notification the id of its new entry, or ''. The number alone
-- when more have followed: what was read may have been published and forgotten since, and is read again.
local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local number = tonumber(newest[2] or '0')
if number - ARGV[3] > tonumber(ARGV[4]) then return {number} end
local entries = {}
for at = 5, #ARGV, 2 do
  local id, body, entry = ARGV[at], ARGV[at + 1], ''
  if body ~= '' then
    if not redis.call('ZSCORE', KEYS[2], id) then
      entry = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'notification', body)
    end
    number = number + 1 -- also of one that is published: what stays in the fan-out is not forgotten
    redis.call('ZADD', KEYS[2], number, id)
  end
  entries[#entries + 1] = entry
end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[2] - 1)
return {number, unpack(entries)}
