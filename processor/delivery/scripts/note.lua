-- Note what is known of one recipient of a delivery: 'uncertain' just before a send that cannot be taken back,
-- 'delivered' after it, '' (the note is dropped) where the recipient certainly does not have it.
-- KEYS: deliveries, lane-flight
-- ARGV: id, token, lane id, recipient, outcome
-- Returns 1; 0 when nothing was noted: the delivery was erased, or the lease for a send is another's.
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
