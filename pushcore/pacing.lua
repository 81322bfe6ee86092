-- One grant of permits, atomically, over every bucket that the message counts in.
--
-- Each bucket is GCRA: `tat` (theoretical arrival time) is the moment at which all that was
-- granted would have been sent at exactly the bucket's pace. A permit is there while `tat` is no
-- more than `tolerance` ahead of now, and moves `tat` on by `interval`. All times in seconds.
--
-- KEYS[1]  the project's state, KEYS[2] the campaign's (only where it has a pace of its own)
-- ARGV     now ("" = the server's clock), wanted, rank (0 high, 1 normal, 2 low),
--          interval and tolerance of the project (interval 0 = no limit),
--          share of normal and low together, share of low, ramp seconds (0 = none),
--          recovery per second, interval and tolerance of the campaign (interval 0 = none)
-- Returns  granted, seconds until it is worth asking again, what limited it

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local wanted, rank = tonumber(ARGV[2]), tonumber(ARGV[3])
local interval, tolerance = tonumber(ARGV[4]), tonumber(ARGV[5])
local shares = {1, tonumber(ARGV[6]), tonumber(ARGV[7])}
local ramp_s, recovery = tonumber(ARGV[8]), tonumber(ARGV[9])
local own_interval, own_tolerance = tonumber(ARGV[10]), tonumber(ARGV[11])

local NAMES = {'all', 'bulk', 'low'}
local LIFE_S = 3600
local QUANTUM_S = 0.02
local LEAST_RAMP = 0.02

local function text(number)
  return string.format('%.17g', number)
end

local state = redis.call('HMGET', KEYS[1],
  'all', 'bulk', 'low', 'blocked_until', 'factor', 'factor_at', 'ramp_at', 'taken_at')

-- A clock that jumped back must not block for longer than any provider may ask.
local blocked_until = math.min(tonumber(state[4]) or 0, now + LIFE_S)
if blocked_until > now then
  return {0, text(blocked_until - now), 'blocked'}
end

-- After a 429 the pace is lowered, and grows back with time.
local factor = 1
if state[5] then
  factor = math.min(1, tonumber(state[5]) + math.max(0, now - tonumber(state[6])) * recovery)
end

-- A ramp starts where the project has been idle for as long as a ramp takes.
local ramp_at = tonumber(state[7]) or now
if ramp_s > 0 then
  if not state[8] or now - tonumber(state[8]) > ramp_s or ramp_at > now then
    ramp_at = now
  end
  factor = factor * math.max(LEAST_RAMP, math.min(1, (now - ramp_at) / ramp_s))
end

local buckets = {}

local function add(key, field, stored, every, tolerance_most, tolerance_mine)
  -- What is not known (new, emptied, expired) starts empty: no burst on top of what was sent.
  -- What is too far ahead was granted at a slower pace or by another clock: a change of pace is
  -- in force at once.
  local tat = tonumber(stored) or (now + tolerance_most)
  tat = math.max(now, math.min(tat, now + tolerance_most + every))
  buckets[#buckets + 1] = {key = key, field = field, every = every, mine = tolerance_mine, tat = tat}
end

if interval > 0 then
  for i = 1, rank + 1 do
    -- In each bucket the more urgent may run further ahead, so that it finds room first.
    local part = (3 - (rank - i + 1)) / 3
    add(KEYS[1], NAMES[i], state[i], interval / (factor * shares[i]), tolerance, tolerance * part)
  end
end
if own_interval > 0 then
  local own = redis.call('HGET', KEYS[2], 'tat')
  add(KEYS[2], 'tat', own, own_interval, own_tolerance, own_tolerance)
end

local granted = wanted
for _, bucket in ipairs(buckets) do
  local free = math.floor((bucket.mine - (bucket.tat - now)) / bucket.every + 1 + 1e-6)
  granted = math.max(0, math.min(granted, free))
end

local wait_s, limit = 0, ''
for _, bucket in ipairs(buckets) do
  local tat = bucket.tat + granted * bucket.every
  -- Written even where nothing was granted: a bucket that is new, or whose pace was raised, counts
  -- from now on.
  redis.call('HSET', bucket.key, bucket.field, text(tat))
  redis.call('EXPIRE', bucket.key, LIFE_S)
  -- Worth asking again: when a handful is there, not for every single permit.
  local handful = math.min(wanted, 1 + math.floor(math.min(QUANTUM_S, bucket.mine) / bucket.every))
  local wait = tat - now - bucket.mine + (handful - 1) * bucket.every
  if wait > wait_s then
    wait_s = wait
    limit = bucket.key == KEYS[1] and 'quota' or 'campaign'
  end
end

if granted > 0 and interval > 0 then
  redis.call('HSET', KEYS[1], 'taken_at', text(now), 'ramp_at', text(ramp_at))
end
return {granted, text(wait_s), limit}
