-- What is needed to attempt deliveries: the notifications, and the attempts of each so far.
-- KEYS: for each notification: notification, deliveries
-- ARGV: for each notification: the ids of its lanes, each followed by a space
-- Returns for each notification {body, connection id, attempts in the first lane, ...}; {} for an erased one.
local rows = {}
for index, lanes in ipairs(ARGV) do
  local row = redis.call('HMGET', KEYS[2 * index - 1], 'body', 'connection_id')
  if row[1] then
    for lane in string.gmatch(lanes, '%S+') do
      row[#row + 1] = redis.call('HGET', KEYS[2 * index], lane .. ':tries') or '0'
    end
  else
    row = {}
  end
  rows[index] = row
end
return rows
