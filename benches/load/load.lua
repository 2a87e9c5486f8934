-- Load of the benchmark, for wrk with one thread:
--   wrk -t1 -c32 -d5s --latency -s load.lua URL -- WORKLOAD CREDENTIALS GENERATION [each]
-- WORKLOAD is w1, w2, w3, w4a, w4b or w4c. CREDENTIALS is a file with one organization per line (id,
-- API key and token, separated by tabs), or dense:COUNT:TOKEN for organizations that
-- harness/bulk.py has numbered. Runs of different GENERATION (0 to 13) on one database write
-- different values, so that every write changes something. With `each` the script checks the status
-- of every response. Otherwise wrk itself only tells errors (400 and more) from other responses: for
-- a response callback it builds a table of all headers, which costs more than sending the request.
-- Prints one line of JSON at the end.

local DAYS_EACH = 19 -- values of retention in each generation, all with three digits
local EXPECTED = { w1 = 200, w2 = 200, w3 = 200, w4a = 401, w4b = 422, w4c = 401 }

sent, unexpected, expected = 0, 0, 0 -- global, so that done() can read them from the thread
local threads = {}
local generation, writes = 0, {}

function setup(thread)
  table.insert(threads, thread)
end

-- Returns a function that picks a random organization: its number, id, API key and token.
local function from_file(path)
  local organizations = {}
  for line in io.lines(path) do
    local id, key, token = line:match("^(%S+)\t(%S+)\t(%S+)$")
    table.insert(organizations, { id = id, key = key, token = token })
  end
  return function()
    local number = math.random(#organizations)
    local organization = organizations[number]
    return number, organization.id, organization.key, organization.token
  end
end

local function numbered(count, token)
  return function()
    local number = math.random(count)
    local id = string.format("00000000-0000-7000-8000-%012x", number)
    return number, id, string.format("am_live_%034d", number), token
  end
end

local function message(method, path, credential, body)
  local head = method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
    .. credential .. "\r\n"
  if body == nil then
    return head .. "\r\n"
  end
  return head .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function next_write(number)
  local count = writes[number] or 0
  writes[number] = count + 1
  return count
end

local workloads = {}

function workloads.w1(_, _, key)
  return message("GET", "/v1/organization", key)
end

function workloads.w2(number, _, key)
  local count = next_write(number)
  local days = 100 + generation * DAYS_EACH + count % DAYS_EACH
  local start = string.format("%02d:%02d", 20 + count % 4, count % 60)
  return message("PATCH", "/v1/organization", key, '{"message_retention_days":' .. days
    .. ',"quiet_hours":{"enabled":true,"start":"' .. start
    .. string.format('","end":"08:%02d"}}', generation))
end

function workloads.w3(number, id, _, token)
  local text = string.format(
    "Hello {{contactName}}, sorry that we missed your call. We will call back soon. %d-%06d",
    generation, next_write(number))
  return message("PUT", "/api/organizations/" .. id .. "/missed-call-message", token,
    '{"missedCallMessage":"' .. text .. '","missedCallAutoMessageEnabled":true}')
end

-- Returns a well-formed key that is not stored.
local function unknown(key)
  return key:sub(1, 8) .. key:sub(9):reverse()
end

function workloads.w4a(_, _, key)
  return message("GET", "/v1/organization", unknown(key))
end

function workloads.w4b(_, _, key)
  return message("PATCH", "/v1/organization", key,
    '{"message_retention_days":29,"quiet_hours":{"enabled":true,"start":"24:00","end":"08:00"}}')
end

function workloads.w4c(_, _, key)
  return message("PATCH", "/v1/organization", unknown(key), '{"message_retention_days":90}')
end

local function check(status)
  if status ~= expected then
    unexpected = unexpected + 1
  end
end

function init(args)
  local workload, credentials = args[1], args[2]
  expected, generation = EXPECTED[workload], tonumber(args[3])
  math.randomseed(os.time() + generation)
  local count, token = credentials:match("^dense:(%d+):(.+)$")
  local choose = count and numbered(tonumber(count), token) or from_file(credentials)
  local build = workloads[workload]
  request = function()
    sent = sent + 1
    return build(choose())
  end
  response = args[4] == "each" and check or nil
end

function done(summary, latency)
  local errors = summary.errors
  local thread = threads[1]
  local unexpected = errors.status
  if thread:get("expected") >= 400 then
    unexpected = summary.requests - unexpected
  end
  unexpected = math.max(unexpected, thread:get("unexpected"))
  print(string.format(
    '{"requests":%d,"sent":%d,"seconds":%.6f,"unexpected":%d,"broken":%d,'
      .. '"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}',
    summary.requests, thread:get("sent"), summary.duration / 1e6, unexpected,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
