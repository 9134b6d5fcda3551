#!lua flags=no-writes
-- Reads a partition's part of the attribute index, as of one moment.
--
-- KEYS  1 partition facts, 2 rows, 3 and on members
-- ARGV  1 incarnation
-- Replies  seen {player, row ..} {member, score ..} .. | wiped why
local gone = wiped(KEYS[1], ARGV[1])
if gone then
  return gone
end
local seen = {'seen', redis.call('HGETALL', KEYS[2])}
for nth = 3, #KEYS do
  seen[nth] = redis.call('ZRANGE', KEYS[nth], 0, -1, 'WITHSCORES')
end
return seen
