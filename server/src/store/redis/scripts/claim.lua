#!lua
-- Claims an actor: a new epoch, written into the journal as a marker that fences all older ones.
--
-- KEYS  1 journal, 2 meta, 3 newest snapshot, 4 ids, 5 partition facts, 6 due
-- ARGV  1 incarnation, 2 actor, 3 session, 4 creates (0 or 1), 5 replaced session, 6 replaced epoch
--       (both '' for none), 7 grace after a change of history, in ms
-- Replies  granted epoch seq | held session epoch | wait ms | absent | wiped why
--
-- The first history that a partition sees starts no grace. A claim that waits or is refused
-- changes no actor.
local gone = wiped(KEYS[5], ARGV[1])
if gone then
  return gone
end

local epoch, seq = '0', '0'
local exists = redis.call('EXISTS', KEYS[1]) == 1
if exists then
  epoch, seq = tip_of(KEYS[1])
elseif redis.call('EXISTS', KEYS[3]) == 1 then
  return {'wiped', 'the actor has a snapshot and no journal'}
elseif ARGV[4] == '0' then
  -- An append that found no journal has left its wake-up behind.
  redis.call('ZREM', KEYS[6], ARGV[2])
  return {'absent'}
end

local owner = redis.call('HGET', KEYS[2], 'session')
if exists and owner and owner ~= ARGV[3] and not (owner == ARGV[5] and epoch == ARGV[6]) then
  return {'held', owner, epoch}
end

local now = now_ms()
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local known = redis.call('HMGET', KEYS[5], 'replication', 'grace')
local grace = tonumber(known[2] or 0)
if known[1] ~= replication then
  grace = known[1] and now + ARGV[7] or 0
  redis.call('HSET', KEYS[5], 'replication', replication, 'grace', string.format('%.0f', grace))
end
if now < grace then
  return {'wait', string.format('%.0f', grace - now)}
end

local newest = string.format('%.0f', math.max(now, epoch + 1))
redis.call('XADD', KEYS[1], newest .. '-' .. seq, 'c', ARGV[3])
redis.call('HSET', KEYS[2], 'session', ARGV[3], 'epoch', newest)
if not exists then
  redis.call('ZADD', KEYS[4], 0, ARGV[2])
end
return {'granted', newest, seq}
