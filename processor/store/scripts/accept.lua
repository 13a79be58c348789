-- Accept one message of a cell: detect a duplicate, store it, and append it to the inbox.
-- KEYS: seen, messages, repeats, inbox, events, company-events (no company: nothing), wake, events:quarantined,
--       events:discarded
-- ARGV: event id, dedupe s (0: the message itself is kept as long), received ms, wake ms, record
-- Returns {stored, cell needs a wake-up}, both 0 or 1. A duplicate is a write too: see acknowledgement.py.
local id = ARGV[1]
local is_seen = redis.call('EXISTS', KEYS[1]) == 1
if is_seen or redis.call('HSETNX', KEYS[2], id, ARGV[5]) == 0 then
  local code = string.sub(redis.call('HGET', KEYS[2], id) or '', 1, 1)
  -- A message that was not recognised (4: quarantined, 6: discarded) is accepted if it is recognised now.
  if is_seen or (code ~= '4' and code ~= '6') then
    redis.call('HINCRBY', KEYS[3], id, 1)
    if code == '' then
      redis.call('HDEL', KEYS[3], id)
    end
    return {0, 0}
  end
  redis.call('HSET', KEYS[2], id, ARGV[5])
  redis.call('ZREM', KEYS[8], id)
  redis.call('ZREM', KEYS[9], id)
end
redis.call('XADD', KEYS[4], '*', 'id', id)
if ARGV[2] ~= '0' then
  redis.call('SET', KEYS[1], '1', 'EX', ARGV[2])
end
redis.call('ZADD', KEYS[5], ARGV[3], id)
if string.sub(KEYS[6], -8) ~= ':nothing' then
  redis.call('ZADD', KEYS[6], ARGV[3], id)
end
if redis.call('SET', KEYS[7], 'asked', 'NX', 'PX', ARGV[4]) then
  return {1, 1}
end
return {1, 0}
