#!lua flags=allow-oom
-- Gives an actor up. One that never got a record leaves no key.
--
-- KEYS  1 journal, 2 meta, 3 due, 4 ids, 5 partition facts, 6 newest snapshot, 7 older snapshot
-- ARGV  1 incarnation, 2 actor, 3 epoch, 4 earliest obligation in ms ('' for none)
-- Replies  ok | fenced epoch | behind seq | absent | wiped why
--
-- Nothing is deleted within the epoch's own millisecond: the next claim would get it again.
local epoch, seq, refusal = own_tip(KEYS[1], KEYS[5], ARGV[1], ARGV[3])
if refusal then
  return refusal
end
if epoch ~= ARGV[3] then
  return {'behind', seq}
end

local now = now_ms()
if seq == '0' and now > tonumber(epoch) then
  remove(ARGV[2], KEYS[1], KEYS[2], KEYS[6], KEYS[7], KEYS[3], KEYS[4])
  return {'ok'}
end
redis.call('HDEL', KEYS[2], 'session')
set_due(KEYS[3], ARGV[2], ARGV[4])
return {'ok'}
