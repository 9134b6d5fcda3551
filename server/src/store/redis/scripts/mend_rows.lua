#!lua
-- Puts rows of the attribute index and their members right, each row as long as it is what was
-- looked at.
--
-- KEYS  1 partition facts, 2 rows, 3 and on members
-- ARGV  1 incarnation, then for each row: player, row as it was seen ('' : there was none), row
--       as it is to be ('' : none), how many members follow, and for each of these: which of the
--       KEYS, member, score ('' : it is to go)
-- Replies  ok | wiped why
local gone = wiped(KEYS[1], ARGV[1])
if gone then
  return gone
end
local at = 2
while at <= #ARGV do
  local player, seen, wanted = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local last = at + 3 + 3 * ARGV[at + 3]
  if (redis.call('HGET', KEYS[2], player) or '') == seen then
    for nth = at + 4, last, 3 do
      local key, member, score = KEYS[tonumber(ARGV[nth])], ARGV[nth + 1], ARGV[nth + 2]
      if score == '' then
        redis.call('ZREM', key, member)
      else
        redis.call('ZADD', key, score, member)
      end
    end
    if wanted == '' then
      redis.call('HDEL', KEYS[2], player)
    elseif wanted ~= seen then
      redis.call('HSET', KEYS[2], player, wanted)
    end
  end
  at = last + 1
end
return {'ok'}
