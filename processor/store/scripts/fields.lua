-- Read the same fields of several hashes of a cell.
-- KEYS: hashes
-- ARGV: fields
-- Returns for each hash its values (false: no such field).
local rows = {}
for number, name in ipairs(KEYS) do
  rows[number] = redis.call('HMGET', name, unpack(ARGV))
end
return rows
