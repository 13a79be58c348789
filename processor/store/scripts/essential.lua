#!lua flags=allow-oom
-- Small writes of an operator that a full store has to take: signing in, and the audit trail. Redis 7 or newer.
-- KEYS: the key of each command. ARGV: of each command its name, the number of its arguments, and these.
local position = 1
for number = 1, #KEYS do
  local last = position + 1 + tonumber(ARGV[position + 1])
  redis.call(ARGV[position], KEYS[number], unpack(ARGV, position + 2, last))
  position = last + 1
end
return #KEYS
