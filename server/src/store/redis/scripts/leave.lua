#!lua flags=allow-oom
-- Gives a lease up, whether it has run out or not.
-- KEYS: alive, info, dead: see renew.lua
-- ARGV: session, how long its death is remembered in ms
-- Replies: 1.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now_ms - ARGV[2])
redis.call('ZADD', KEYS[3], now_ms, ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
