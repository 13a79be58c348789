-- Accept messages: detect duplicates, store the others, and append them to the inboxes of their cells.
-- KEYS: the wake of each cell, then each cell's messages, repeats, events, events:quarantined and events:discarded;
--       then seen of each message, and each message's inbox (or replays) and company-events (no company: nothing).
--       Of one that is not recognised: nothing, nothing, events:quarantined
-- ARGV: wake ms, dedupe s (0: the message itself is kept as long), number of cells; then for each message the number
--       of its cell, event id, received ms, record
-- Returns for each message 0: duplicate, 1: stored, 2: stored, and its cell needs a wake-up, or the error with which
-- Redis refused it; that error alone if it refused all. A duplicate is a write too: see acknowledgement.py.
local call = redis.call
local cells, count = tonumber(ARGV[3]), (#ARGV - 3) / 4
local seen = 6 * cells
local any_seen = call('EXISTS', unpack(KEYS, seen + 1, seen + count)) > 0
local all_awake = call('EXISTS', unpack(KEYS, 1, cells)) == cells
local scores, waits = {}, {}

-- Whether an id that is stored already is accepted once more: it was not recognised (4: quarantined, 6: discarded)
-- before. A duplicate is counted.
local function is_recognised_now(id, at, is_again)
  local code = string.sub(call('HGET', KEYS[at], id) or '', 1, 1)
  if not is_again and (code == '4' or code == '6') then return true end
  call('HINCRBY', KEYS[at + 1], id, 1)
  if code == '' then call('HDEL', KEYS[at + 1], id) end
end

local function accept(number)
  local cell, id, received_ms, record = unpack(ARGV, 4 * number, 4 * number + 3)
  local at, own = cells + 5 * cell - 4, seen + count + 2 * number
  local nothing = string.sub(KEYS[tonumber(cell)], 1, -5) .. 'nothing' -- beside wake; a company may have this id
  local is_recognised = KEYS[own - 1] ~= nothing
  local is_seen = any_seen and call('EXISTS', KEYS[seen + number]) == 1
  local is_stored = is_seen or call('HSETNX', KEYS[at], id, record) == 0
  if is_stored and not is_recognised_now(id, at, is_seen or not is_recognised) then return 0 end
  local entry = is_recognised and redis.pcall('XADD', KEYS[own - 1], '*', 'id', id)
    or redis.pcall('ZADD', KEYS[own], received_ms, id)
  if type(entry) == 'table' then -- nobody would see it: when it is sent again it must not be a duplicate
    if not is_stored then call('HDEL', KEYS[at], id) end
    return entry
  end
  if is_stored then
    call('HSET', KEYS[at], id, record)
    call('ZREM', KEYS[at + 3], id)
    call('ZREM', KEYS[at + 4], id)
  end
  local members = scores[cell] or {}
  scores[cell], members[#members + 1], members[#members + 2] = members, received_ms, id
  if not is_recognised then return 1 end
  waits[cell] = true
  if ARGV[2] ~= '0' then call('SET', KEYS[seen + number], '1', 'EX', ARGV[2]) end
  if KEYS[own] ~= nothing then call('ZADD', KEYS[own], received_ms, id) end
  return 1
end

local rows, refused = {}, 0
for number = 1, count do
  local is_well, reply = pcall(accept, number)
  rows[number] = is_well and reply or type(reply) == 'table' and reply or {err = tostring(reply)}
end
for cell, members in pairs(scores) do
  local reply = redis.pcall('ZADD', KEYS[cells + 5 * cell - 2], unpack(members))
  local is_asleep = waits[cell] and not all_awake and call('SET', KEYS[tonumber(cell)], 'asked', 'NX', 'PX', ARGV[1])
  scores[cell] = type(reply) == 'table' and reply or is_asleep and 2 or 1
end
for number, reply in ipairs(rows) do
  if reply == 1 then rows[number] = scores[ARGV[4 * number]] end
  if type(rows[number]) == 'table' then refused = refused + 1 end
end
return refused == count and rows[1] or rows
