#!lua
-- Appends session metrics once per key, and drops the oldest beyond a bound.
--
-- KEYS  1 rows, 2 their order, 3 facts
-- ARGV  1 incarnation, 2 key, 3 the row, 4 rows kept
-- Replies  ok | wiped why
--
-- A repeat of a row that was dropped is kept again: the bound outranks the repeat.
if redis.call('HGET', KEYS[3], 'incarnation') ~= ARGV[1] then
  return {'wiped', 'the metrics are empty or belong to another namespace'}
end
if redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 1 then
  redis.call('RPUSH', KEYS[2], ARGV[2])
  if redis.call('LLEN', KEYS[2]) > tonumber(ARGV[4]) then
    redis.call('HDEL', KEYS[1], redis.call('LPOP', KEYS[2]))
  end
end
return {'ok'}
