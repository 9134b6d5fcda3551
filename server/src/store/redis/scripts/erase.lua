#!lua flags=allow-oom
-- Removes all that is kept of an actor that has come to its end.
--
-- KEYS  1 journal, 2 meta, 3 due, 4 ids, 5 partition facts, 6 newest snapshot, 7 older snapshot
-- ARGV  1 incarnation, 2 actor, 3 epoch, 4 seq
-- Replies  ok | fenced epoch | behind seq | early | absent | wiped why
--
-- Early: within the epoch's own millisecond, which the next claim would get again; and in a
-- history in which holders come first, since another may stand for more than the tip shows.
local epoch, seq, refusal = own_tip(KEYS[1], KEYS[5], ARGV[1], ARGV[3])
if refusal then
  return refusal
end
if epoch ~= ARGV[3] or seq ~= ARGV[4] then
  return {'behind', seq}
end

local now = now_ms()
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local known = redis.call('HMGET', KEYS[5], 'replication', 'grace')
local another = known[1] and known[1] ~= replication
if another or now < tonumber(known[2] or 0) or now <= tonumber(epoch) then
  return {'early'}
end

remove(ARGV[2], KEYS[1], KEYS[2], KEYS[6], KEYS[7], KEYS[3], KEYS[4])
return {'ok'}
