#!lua flags=allow-oom
-- Writes a holder's memory back under a new epoch, if the tip is still the one it observed. Of a
-- journal that is not there, that is 0-0 without an append id, and all of memory is needed.
--
-- KEYS  1 journal, 2 meta, 3 newest snapshot, 4 older snapshot, 5 due, 6 ids, 7 partition facts
-- ARGV  1 incarnation, 2 actor, 3 session, 4 observed epoch, 5 observed seq, 6 observed append id,
--       7 the epoch that it continues, 8 seq of memory, 9 append id of this reassertion,
--       10 snapshot as it is stored ('' : the journal has every record),
--       11 earliest obligation in ms ('' for none)
-- Replies  granted epoch | changed | wiped why
--
-- Passes the grace that follows a change of history: holders come first.
local gone = wiped(KEYS[7], ARGV[1])
if gone then
  return gone
end
local epoch, seq = '0', '0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  epoch, seq = tip_of(KEYS[1])
end

-- The random id of the newest entry that has one: markers of claims have none.
local function append_id()
  local until_id = '+'
  while true do
    local entry = redis.call('XREVRANGE', KEYS[1], until_id, '-', 'COUNT', 1)[1]
    if not entry then
      return '0'
    end
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'a' then
        return entry[2][i + 1]
      end
    end
    until_id = '(' .. entry[1]
  end
end

-- All of memory also replaces more records than it holds: another line's.
local whole = ARGV[10] ~= ''
local fits = whole or (ARGV[8] == seq and epoch ~= '0')
if not fits or epoch ~= ARGV[4] or seq ~= ARGV[5] or append_id() ~= ARGV[6] then
  return {'changed'}
end

local now = now_ms()
local newest = string.format('%.0f', math.max(now, epoch + 1, ARGV[7] + 1))
local marker = newest .. '-' .. ARGV[8]
redis.call('XADD', KEYS[1], marker, 'c', ARGV[3], 'k', ARGV[7], 'a', ARGV[9])
redis.call('HSET', KEYS[2], 'session', ARGV[3], 'epoch', newest)
redis.call('ZADD', KEYS[6], 0, ARGV[2])
if whole then
  redis.call('SET', KEYS[3], ARGV[10])
  redis.call('SET', KEYS[4], ARGV[10])
  redis.call('XTRIM', KEYS[1], 'MINID', marker)
end
set_due(KEYS[5], ARGV[2], ARGV[11])
return {'granted', newest}
