-- What each request of a round carries, and how many answers were not the expected one.
wrk.method = os.getenv("METHOD")
if os.getenv("BODY_FILE") then
  wrk.body = io.open(os.getenv("BODY_FILE")):read("*a")
  wrk.headers["Content-Type"] = "application/json"
end

local index = 0
while os.getenv("HEADER_" .. index) do
  local name, value = os.getenv("HEADER_" .. index):match("^(.-): (.*)$")
  wrk.headers[name] = value
  index = index + 1
end

-- Where it is asked for, each request has an Idempotency-Key of its own.
if os.getenv("WITH_IDEMPOTENCY_KEY") then
  local first, number = os.time() .. "-" .. math.random(1000000000), 0
  request = function()
    number = number + 1
    wrk.headers["Idempotency-Key"] = first .. "-" .. number
    return wrk.format()
  end
end

-- Where it is asked for, each connection pauses before each request, for this many milliseconds in
-- the mean; not all at once, so from half of it to one and a half.
local pause = tonumber(os.getenv("PAUSE_MS"))
if pause then
  delay = function()
    return math.floor(pause * (0.5 + math.random()) + 0.5)
  end
end

local expected = tonumber(os.getenv("EXPECTED"))
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  unexpected = 0
end

function response(status)
  if status ~= expected then
    unexpected = unexpected + 1
  end
end

-- Times in microseconds.
function done(summary, latency)
  local sum = 0
  for _, thread in ipairs(threads) do
    sum = sum + thread:get("unexpected")
  end
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("figures: %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), sum + broken))
end
