-- Takes `cost` units out of a budget that refills evenly, by one timestamp: when it is full again.
-- KEYS[1]  the budget
-- ARGV     cost, units a minute
-- Returns 0, or for how many milliseconds there is not enough: then nothing was taken.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local after = full_at + ARGV[1] * 60000 / ARGV[2]
if after - now > 60000 then
  return math.ceil(after - now - 60000)
end
redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.ceil(after - now))
return 0
