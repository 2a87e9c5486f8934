-- The flood of benches/neighbour.py: one credential sends one kind of request as fast as it can.
--   wrk -t1 -c256 -d5s -s flood.lua URL -- KIND KEY
-- KIND is get, patch, keyed (a PATCH with a new Idempotency-Key each), list, invalid (422) or
-- unknown (401, with a new key each).

local kind, key
local count = 0

local function message(method, path, credential, headers, body)
  return method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
    .. credential .. "\r\n" .. headers .. "\r\n" .. (body or "")
end

local function patch(headers, body)
  headers = headers .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n"
  return message("PATCH", "/v1/organization", key, headers, body)
end

local kinds = {}

function kinds.get()
  return message("GET", "/v1/organization", key, "")
end

function kinds.list()
  return message("GET", "/v1/audit-log?limit=100", key, "")
end

function kinds.patch()
  return patch("", '{"message_retention_days":' .. 100 + count % 200 .. "}")
end

function kinds.keyed()
  local headers = "Idempotency-Key: flood-" .. os.time() .. "-" .. count .. "\r\n"
  return patch(headers, '{"message_retention_days":' .. 100 + count % 200 .. "}")
end

function kinds.invalid()
  return patch("", '{"message_retention_days":29}')
end

function kinds.unknown()
  return message("GET", "/v1/organization", string.format("am_live_%034d", count), "")
end

function init(args)
  kind, key = args[1], args[2]
end

request = function()
  count = count + 1
  return kinds[kind]()
end
