-- Count a batch of a cell and write what it changes. Runs in the transaction that watches what was read.
-- KEYS: cursor, then the key of each write
-- ARGV: most elements of a list, which keeps the newest; MessagePack: for each write its command and other arguments
-- Returns OK, or the first error of a write; as in a transaction, the other writes are made all the same.
redis.call('INCR', KEYS[1])  -- if it is refused, as by a full server, nothing is written
local failure
local most = tonumber(ARGV[1])
for number, write in ipairs(cmsgpack.unpack(ARGV[2])) do
  local reply = redis.pcall(write[1], KEYS[number + 1], unpack(write, 2))
  if type(reply) == 'table' and reply.err then
    failure = failure or reply
  elseif write[1] == 'RPUSH' and reply > most then
    redis.call('LTRIM', KEYS[number + 1], -most, -1)
  end
end
return failure or redis.status_reply('OK')
