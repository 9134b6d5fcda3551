#!lua flags=allow-oom
-- Declares a node session dead if its lease has run out by this server's clock.
-- KEYS: alive, info, dead: see renew.lua
-- ARGV: session, how long its death is remembered in ms
-- Replies: 1 this call did it, 0 it is not in the table or its lease runs.
local expiry_ms = redis.call('ZSCORE', KEYS[1], ARGV[1])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if not expiry_ms or tonumber(expiry_ms) > now_ms then
  return 0
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now_ms - ARGV[2])
redis.call('ZADD', KEYS[3], now_ms, ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
