-- What each request of a round carries, and how many answers were not the expected one.
wrk.method = "POST"
wrk.body = io.open(os.getenv("BODY_FILE")):read("*a")
wrk.headers["Content-Type"] = "application/json"

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

function done()
  local sum = 0
  for _, thread in ipairs(threads) do
    sum = sum + thread:get("unexpected")
  end
  io.write("unexpected answers: " .. sum .. "\n")
end
