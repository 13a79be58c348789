-- Log the send to one recipient of a delivery: 'uncertain' just before an irrevocable send, 'delivered' after
-- it, '' (the entry is deleted) where the recipient certainly does not have it.
-- KEYS: deliveries, lane-flight
-- ARGV: id, token, lane id, recipient, outcome
-- Returns 1; 0 when nothing was logged: the delivery was erased, or another process holds the lease.
local field = ARGV[3] .. ':sent:' .. ARGV[4]
if redis.call('HEXISTS', KEYS[1], ARGV[3] .. ':status') == 0 then return 0 end
if ARGV[5] == '' then
  redis.call('HDEL', KEYS[1], field)
elseif ARGV[5] == 'uncertain' and not redis.call('ZSCORE', KEYS[2], ARGV[1] .. ' ' .. ARGV[2]) then
  return 0
else
  redis.call('HSET', KEYS[1], field, ARGV[5])
end
return 1
