-- Give up a cell: free it, or request a drain if messages wait. Nothing happens if another drain has taken it.
-- KEYS: wake, then both lanes of the inbox
-- ARGV: token of this drain, holder of a requested drain, lifetime of the request ms
-- Returns 0 if messages wait for a drain to be requested, else 1.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 1 end
if redis.call('XLEN', KEYS[2]) + redis.call('XLEN', KEYS[3]) > 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 0
end
redis.call('DEL', KEYS[1])
return 1
