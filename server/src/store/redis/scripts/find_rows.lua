#!lua flags=no-writes
-- Finds the rows of one partition that are on any of some paths, as of one moment.
--
-- KEYS  1 partition facts, 2 rows, 3 and on members
-- ARGV  1 incarnation, 2 rows to answer with, then for each path: its kind, which of the KEYS,
--       from, to
-- Replies  found {row or nil ..} {further player ..} | wiped why
--
-- Kinds: n numbers from..to; p players and w words by their letters from..to; o the player `from`.
local gone = wiped(KEYS[1], ARGV[1])
if gone then
  return gone
end
local most, several = tonumber(ARGV[2]), #ARGV > 6
local seen, players, left = {}, {}, {}

local function add(player)
  if several then
    if seen[player] then
      return
    end
    seen[player] = true
  end
  if #players < most then
    players[#players + 1] = player
  else
    left[#left + 1] = player
  end
end

for at = 3, #ARGV, 4 do
  local kind, from, to = ARGV[at], ARGV[at + 2], ARGV[at + 3]
  if kind == 'o' then
    add(from)
  else
    local call = kind == 'n' and 'ZRANGEBYSCORE' or 'ZRANGEBYLEX'
    local found = redis.call(call, KEYS[tonumber(ARGV[at + 1])], from, to)
    for nth = 1, #found do
      -- Values may have zero bytes, players have none.
      add(kind == 'w' and string.match(found[nth], '.*%z(.*)$') or found[nth])
    end
  end
end
if not players[1] then
  return {'found', {}, {}}
end
return {'found', redis.call('HMGET', KEYS[2], unpack(players)), left}
