#!lua flags=allow-oom
-- Records the primary's history in a partition and starts the grace of its holders, so that it
-- runs from when a change was noticed and not from the first claim long after.
--
-- KEYS  1 partition facts
-- ARGV  1 incarnation, 2 grace after a change of history, in ms
-- Replies  ok | wiped why
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then
  return {'wiped', 'the partition is empty or belongs to another namespace'}
end
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local known = redis.call('HGET', KEYS[1], 'replication')
if known ~= replication then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local grace = known and now + ARGV[2] or 0
  redis.call('HSET', KEYS[1], 'replication', replication, 'grace', string.format('%.0f', grace))
end
return {'ok'}
