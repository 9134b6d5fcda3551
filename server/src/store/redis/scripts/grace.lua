#!lua flags=allow-oom
-- Records the primary's history in a partition and starts the grace of its holders, so that it
-- runs from when a change was noticed and not from the first claim long after.
--
-- KEYS  1 partition facts
-- ARGV  1 incarnation, 2 grace after a change of history, in ms
-- Replies  ok | wiped why
local gone = wiped(KEYS[1], ARGV[1])
if gone then
  return gone
end
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local known = redis.call('HGET', KEYS[1], 'replication')
if known ~= replication then
  local grace = known and now_ms() + ARGV[2] or 0
  redis.call('HSET', KEYS[1], 'replication', replication, 'grace', string.format('%.0f', grace))
end
return {'ok'}
