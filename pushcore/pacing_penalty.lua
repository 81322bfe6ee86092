-- The provider said that the project's quota is used up: nobody sends for a while, and slower then.
--
-- KEYS[1]  the project's state
-- ARGV     now ("" = the server's clock), seconds to wait, the share of the pace that is kept,
--          the least share, recovery per second, seconds within which refusals are one incident
-- Returns  seconds until the block ends

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local wait_s, keep, least = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local recovery, incident_s = tonumber(ARGV[5]), tonumber(ARGV[6])

local LIFE_S = 3600

local function text(number)
  return string.format('%.17g', number)
end

local state = redis.call('HMGET', KEYS[1], 'blocked_until', 'factor', 'factor_at')
local blocked_until = math.min(tonumber(state[1]) or 0, now + LIFE_S)
local factor_at = math.min(tonumber(state[3]) or -math.huge, now)

-- Whatever was in flight at the first refusal is refused too: that lowers the pace once.
if blocked_until <= now and now - factor_at >= incident_s then
  local factor = 1
  if state[2] then
    factor = math.min(1, tonumber(state[2]) + (now - factor_at) * recovery)
  end
  redis.call('HSET', KEYS[1], 'factor', text(math.max(least, factor * keep)), 'factor_at', text(now))
end

blocked_until = math.max(blocked_until, now + wait_s)
redis.call('HSET', KEYS[1], 'blocked_until', text(blocked_until))
redis.call('EXPIRE', KEYS[1], LIFE_S)
return text(blocked_until - now)
