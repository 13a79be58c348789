-- Read a page of each of several sorted sets of a cell at one moment, so that a member that moves is in one of them.
-- KEYS: the sorted sets. ARGV: highest score, lowest score, number of members; then for each set how many to pass over
-- Returns for each set its members and their scores in turn, highest first.
local pages = {}
for number, name in ipairs(KEYS) do
  pages[number] = redis.call(
    'ZREVRANGEBYSCORE', name, ARGV[1], ARGV[2], 'WITHSCORES', 'LIMIT', ARGV[3 + number], ARGV[3])
end
return pages
