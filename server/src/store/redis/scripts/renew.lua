#!lua flags=allow-oom
-- Renews the lease of a node session, or takes it at the first call.
-- KEYS: alive (ZSET session -> expiry, ms of this server's clock), info (HASH session -> bytes),
--       dead (ZSET session -> when it was declared dead, or left)
-- ARGV: session, TTL in ms, info
-- Replies: 1 held, 0 the session is dead.
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then
  return 0
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now_ms + ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
