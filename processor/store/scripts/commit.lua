-- Count a batch of a cell and write what it changes. Runs in the transaction that watches what was read.
-- KEYS: cursor, then the key of each write
-- ARGV: for each write its command, the number of its other arguments, and these
-- Returns OK, or the first error of a write; as in a transaction, the other writes are made all the same.
redis.call('INCR', KEYS[1])  -- if it is refused, as by a full server, nothing is written
local failure
local at = 1
for number = 2, #KEYS do
  local last = at + 1 + ARGV[at + 1]
  local reply = redis.pcall(ARGV[at], KEYS[number], unpack(ARGV, at + 2, last))
  if type(reply) == 'table' and reply.err then
    failure = failure or reply
  end
  at = last + 1
end
return failure or redis.status_reply('OK')
