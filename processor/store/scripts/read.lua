-- Read the oldest messages of a cell.
-- KEYS: inbox, messages
-- ARGV: most messages
-- Returns the entries of the inbox, and the record of each (false: the message is gone).
local entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])
if #entries == 0 then return {entries, {}} end
local ids = {}
for number, entry in ipairs(entries) do
  ids[number] = entry[2][2]
end
return {entries, redis.call('HMGET', KEYS[2], unpack(ids))}
