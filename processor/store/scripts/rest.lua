-- End a drain: take the flag down only when nothing waits any more.
-- KEYS: inbox, wake
-- Returns 1 when the shard sleeps now, 0 when more has come.
if redis.call('XLEN', KEYS[1]) > 0 then
  return 0
end
redis.call('DEL', KEYS[2])
return 1
