-- End a drain: remove the wake flag if the inbox is empty.
-- KEYS: inbox, wake
-- Returns 1 if the cell sleeps now, 0 if messages wait.
if redis.call('XLEN', KEYS[1]) > 0 then
  return 0
end
redis.call('DEL', KEYS[2])
return 1
