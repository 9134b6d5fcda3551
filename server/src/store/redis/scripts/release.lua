#!lua flags=allow-oom
-- Gives an actor up. One that never got a record leaves no key.
--
-- KEYS  1 journal, 2 meta, 3 due, 4 ids, 5 partition facts, 6 newest snapshot, 7 older snapshot
-- ARGV  1 incarnation, 2 actor, 3 epoch, 4 earliest obligation in ms ('' for none)
-- Replies  ok | fenced epoch | behind seq | absent | wiped why
--
-- Nothing is deleted within the epoch's own millisecond: the next claim would get it again.
if redis.call('HGET', KEYS[5], 'incarnation') ~= ARGV[1] then
  return {'wiped', 'the partition is empty or belongs to another namespace'}
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'absent'}
end
local epoch, seq
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then
    epoch, seq = string.match(info[i + 1], '(%d+)-(%d+)')
  end
end
if tonumber(epoch) > tonumber(ARGV[3]) then
  return {'fenced', epoch}
end
if epoch ~= ARGV[3] then
  return {'behind', seq}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if seq == '0' and now > tonumber(epoch) then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[6], KEYS[7])
  redis.call('ZREM', KEYS[3], ARGV[2])
  redis.call('ZREM', KEYS[4], ARGV[2])
  return {'ok'}
end
redis.call('HDEL', KEYS[2], 'session')
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[3], ARGV[2])
else
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2])
end
return {'ok'}
