#!lua flags=allow-oom
-- Keeps the inbox of a node session, and makes an empty one where there is none: mail is put
-- into inboxes that exist.
-- KEYS: inbox (STREAM of batches, field d)
-- ARGV: how long it is kept from now on, in ms
-- Replies: 1 it was made, 0 it was there.
local made = 0
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], 'MAXLEN', 0, '*', 'd', '')
  made = 1
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return made
