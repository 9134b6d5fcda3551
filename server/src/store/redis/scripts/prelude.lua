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
