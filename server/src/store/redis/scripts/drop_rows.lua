#!lua flags=allow-oom
-- Removes rows of the attribute index and their members, each if it still tells of one position.
--
-- KEYS  see rows.lua
-- ARGV  1 incarnation, 2 names, 3 further names, then for each row: player, position (epoch and
--       seq, as they are stored)
-- Replies  ok | more name.. | wiped why, as of put_rows.lua
local gone = wiped(KEYS[1], ARGV[1])
if gone then
  return gone
end
take_names(ARGV[2])
take_names(ARGV[3])

local dropped, more = {}, {}
for at = 4, #ARGV, 2 do
  local player = ARGV[at]
  local old = redis.call('HGET', KEYS[2], player)
  if old and #old >= HEAD_LEN and string.sub(old, 1, 16) == ARGV[at + 1] then
    local _, _, _, _, version, len = struct.unpack(HEAD, old)
    if version == 1 then
      move(player, placed(old, string.sub(old, HEAD_LEN + 1, HEAD_LEN + len), more), {})
    end
    dropped[#dropped + 1] = player
  end
end
if more[1] then
  return {'more', unpack(more)}
end
write_members()
if dropped[1] then
  redis.call('HDEL', KEYS[2], unpack(dropped))
end
return {'ok'}
