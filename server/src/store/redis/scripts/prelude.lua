-- What several scripts do; stands in front of each of them.

-- Why nothing may be done: the reply where a partition's facts are not this namespace's.
local function wiped(facts, incarnation)
  if redis.call('HGET', facts, 'incarnation') ~= incarnation then
    return {'wiped', 'the partition is empty or belongs to another namespace'}
  end
end

-- Epoch and seq of a journal's newest entry, as text; also of one that was trimmed to empty.
local function tip_of(journal)
  local info = redis.call('XINFO', 'STREAM', journal)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return string.match(info[i + 1], '(%d+)-(%d+)')
    end
  end
end

-- Epoch and seq of the tip, for the owner of that epoch; else nothing, and the reply that says why:
-- a wiped partition, no journal, or a newer epoch.
local function own_tip(journal, facts, incarnation, epoch)
  local gone = wiped(facts, incarnation)
  if gone then
    return nil, nil, gone
  end
  if redis.call('EXISTS', journal) == 0 then
    return nil, nil, {'absent'}
  end
  local tip, seq = tip_of(journal)
  if tonumber(tip) > tonumber(epoch) then
    return nil, nil, {'fenced', tip}
  end
  return tip, seq
end

-- Milliseconds of the server's clock.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Replaces an actor's earliest obligation; '' for none.
local function set_due(due, actor, at_ms)
  if at_ms == '' then
    redis.call('ZREM', due, actor)
  else
    redis.call('ZADD', due, at_ms, actor)
  end
end

-- Removes all that is kept of an actor.
local function remove(actor, journal, meta, newest, older, due, ids)
  redis.call('DEL', journal, meta, newest, older)
  redis.call('ZREM', due, actor)
  redis.call('ZREM', ids, actor)
end
