#!lua
-- Writes rows of the attribute index and moves their members; drops those that are older than the
-- stored ones. It is refused where memory is short: the index can be made again.
--
-- KEYS  see rows.lua
-- ARGV  1 incarnation, 2 names that the rows have entries of, 3 further names, then for each row:
--       player (none twice), row as it is stored
-- Replies  ok | more name.. | wiped why
--
-- `more` tells of stored rows with entries of other names; nothing was changed.
local gone = wiped(KEYS[1], ARGV[1])
if gone then
  return gone
end
local own = ARGV[2]
take_names(own)
local count = #names
take_names(ARGV[3])

local players = {}
for at = 4, #ARGV, 2 do
  players[#players + 1] = ARGV[at]
end
local known = redis.call('HMGET', KEYS[2], unpack(players))

local fields, first = fields_of(count), HEAD_LEN + 1 + #own
local kept, more = {}, {}
for nth, player in ipairs(players) do
  local old, new = known[nth], ARGV[2 * nth + 3]
  local older, was = false, {}
  if old and #old >= HEAD_LEN then
    -- Positions are compared in pieces, which a double holds.
    local a, b, c, d, version, len = struct.unpack(HEAD, old)
    local e, f, g, h = struct.unpack(HEAD, new)
    if a ~= e then
      older = e < a
    elseif b ~= f then
      older = f < b
    elseif c ~= g then
      older = g < c
    else
      older = h < d
    end
    if not older and version == 1 then
      local text = string.sub(old, HEAD_LEN + 1, HEAD_LEN + len)
      if text == own then
        was = listed(pcall(struct.unpack, fields, old, first))
        was[count + 1] = nil
      else
        was = placed(old, text, more)
      end
    end
  end
  if not older then
    local now = {struct.unpack(fields, new, first)}
    now[count + 1] = nil
    move(player, was, now)
    kept[#kept + 1] = player
    kept[#kept + 1] = new
  end
end
if more[1] then
  return {'more', unpack(more)}
end
write_members()
if kept[1] then
  redis.call('HSET', KEYS[2], unpack(kept))
end
return {'ok'}
