#!lua
-- Reads a named secret, made from a fresh one where there is none yet.
--
-- KEYS  1 secrets, 2 facts
-- ARGV  1 incarnation, 2 name, 3 fresh
-- Replies  secret bytes | wiped why
if redis.call('HGET', KEYS[2], 'incarnation') ~= ARGV[1] then
  return {'wiped', 'the secrets are gone or belong to another namespace'}
end
redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
return {'secret', redis.call('HGET', KEYS[1], ARGV[2])}
