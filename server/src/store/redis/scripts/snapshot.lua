#!lua flags=allow-oom
-- Keeps a snapshot, drops the one before the last, and trims the journal to the older of the two.
--
-- KEYS  1 journal, 2 newest snapshot, 3 older snapshot, 4 due, 5 partition facts
-- ARGV  1 incarnation, 2 actor, 3 epoch, 4 seq, 5 snapshot as it is stored, 6 records to retain
--       before the tip, 7 earliest obligation in ms ('' for none)
-- Replies  ok | fenced epoch | behind seq | absent | wiped why
--
-- Epoch and seq are the stream's own, never the meta's. Ids begin with the epoch, so where to trim
-- is found term by term, from the newest back, two entries read in each.
local epoch, tip, refusal = own_tip(KEYS[1], KEYS[5], ARGV[1], ARGV[3])
if refusal then
  return refusal
end
local newest = string.match(redis.call('GETRANGE', KEYS[2], 0, 31), '^1:(%d+):') or '0'
local seq = tonumber(ARGV[4])
if epoch ~= ARGV[3] or seq > tonumber(tip) or seq <= tonumber(newest) then
  return {'behind', tip}
end

-- The id of the first entry that is kept, where records up to `needless` are not.
local function first_kept(needless)
  local term = epoch
  while true do
    local first = redis.call('XRANGE', KEYS[1], term .. '-0', '+', 'COUNT', 1)[1]
    if not first then
      return nil
    end
    local from = string.match(first[1], '-(%d+)')
    if needless >= tonumber(from) then
      return term .. '-' .. string.format('%.0f', needless + 1)
    end
    local before = redis.call('XREVRANGE', KEYS[1], '(' .. first[1], '-', 'COUNT', 1)[1]
    if not before then
      return nil
    end
    term = string.match(before[1], '(%d+)-')
  end
end

local needless = math.min(tonumber(newest), tonumber(tip) - tonumber(ARGV[6]))
local kept = needless > 0 and first_kept(needless)
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[3])
end
redis.call('SET', KEYS[2], ARGV[5])
if kept then
  redis.call('XTRIM', KEYS[1], 'MINID', kept)
end
set_due(KEYS[4], ARGV[2], ARGV[7])
return {'ok'}
