-- What the writing scripts of the attribute index share; stands behind the prelude.
--
-- A stored row: epoch and seq, the version of what follows (1), the lengths of the names and of
-- the entries, then the names, the entries, and the row itself, which no script reads. The numbers
-- have 8, 8, 1, 2 and 2 bytes, the highest first. Names stand with a space between them; an entry
-- is a length of 2 bytes and that many bytes, none where the row has no such value.
--
-- A name that begins with w is of words: the member is entry and player, the score 0. Others are
-- of numbers: the player is the member, the entry its score.
--
-- KEYS of these scripts: 1 partition facts, 2 rows, then the members of each name that the caller
-- knows, in the order of its names.
local HEAD, HEAD_LEN = '>I4I4I4I4BI2I2', 21

local names, words, removed, added = {}, {}, {}, {}

local function take_names(text)
  for name in string.gmatch(text, '%S+') do
    local place = #names + 1
    names[place], words[place] = name, string.byte(name) == 119
    removed[place], added[place] = {}, {}
  end
end

-- How so many entries are unpacked.
local function fields_of(count)
  return '>' .. string.rep('I2c0', count)
end

-- A call's results as a list, nothing where it failed.
local function listed(worked, ...)
  return worked and {...} or {}
end

-- The entries of a stored row of another caller, by the places of the names here; `more` gets
-- those names that are not among them, unless they are damaged.
local function placed(stored, text, more)
  local places, given = {}, {}
  for place, name in ipairs(names) do
    places[name] = place
  end
  for name in string.gmatch(text, '%S+') do
    given[#given + 1] = name
  end
  local entries, found = {}, listed(pcall(struct.unpack, fields_of(#given), stored,
    HEAD_LEN + 1 + #text))
  for nth, name in ipairs(given) do
    if places[name] then
      entries[places[name]] = found[nth]
    elseif string.find(name, '^[nw][%w_]+$') then
      more[#more + 1] = name
    end
  end
  return entries
end

-- Notes what a player's members need, from the entries that it had to those that it is to have.
local function move(player, was, now)
  for place = 1, #names do
    local old, new = was[place], now[place]
    if old ~= new then
      local had, has = old and old ~= '', new and new ~= ''
      if had and (words[place] or not has) then
        local list = removed[place]
        list[#list + 1] = words[place] and old .. player or player
      end
      if has then
        local list = added[place]
        local len = #list
        list[len + 1] = words[place] and '0' or new
        list[len + 2] = words[place] and new .. player or player
      end
    end
  end
end

-- Writes what was noted, each key twice at most.
local function write_members()
  for place = 1, #names do
    if removed[place][1] then
      redis.call('ZREM', KEYS[place + 2], unpack(removed[place]))
    end
    if added[place][1] then
      redis.call('ZADD', KEYS[place + 2], unpack(added[place]))
    end
  end
end
