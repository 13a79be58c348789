-- Count a batch of a cell and write what it changes. Runs in the transaction that watches what was read.
-- KEYS: cursor, then the key of each write
-- ARGV: most elements of a list, which keeps the newest; MessagePack: for each write its command and other arguments
-- Returns OK, or the first error of a write; as in a transaction, the other writes are made all the same. Only where
-- the fan-out refuses a notification, whose ledger would say that it was told, nothing is written: its XADD comes first.
redis.call('INCR', KEYS[1])  -- if it is refused, as by a full server, nothing is written
local failure
local most = tonumber(ARGV[1])

-- Make a write; one of many pairs or members (thousands of connections, so without options) in parts: Lua passes
-- 8,000 values at most.
local function make(write, key)
  local reply
  for first = 2, math.max(2, #write), 5000 do
    reply = redis.pcall(write[1], key, unpack(write, first, math.min(first + 4999, #write)))
  end
  return reply
end

for number, write in ipairs(cmsgpack.unpack(ARGV[2])) do
  local reply = make(write, KEYS[number + 1])
  if type(reply) == 'table' and reply.err then
    if write[1] == 'XADD' then return reply end
    failure = failure or reply
  elseif write[1] == 'RPUSH' and reply > most then
    redis.call('LTRIM', KEYS[number + 1], -most, -1)
  end
end
return failure or redis.status_reply('OK')
