#!lua
-- Inserts or replaces a player's row of the leaderboard; the newest `at` wins.
--
-- KEYS  1 order (score negated, so that ties read by player), 2 rows, 3 facts
-- ARGV  1 incarnation, 2 player, 3 at, 4 score negated, 5 the row, beginning `<at>:`
-- Replies  ok | wiped why
if redis.call('HGET', KEYS[3], 'incarnation') ~= ARGV[1] then
  return {'wiped', 'the leaderboard is empty or belongs to another namespace'}
end
local known = redis.call('HGET', KEYS[2], ARGV[2])
if known and tonumber(string.match(known, '^(%d+):')) > tonumber(ARGV[3]) then
  return {'ok'}
end
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
return {'ok'}
