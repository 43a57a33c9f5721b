-- One event in each POST, each with an id of its own. The argument keeps the ids of rounds apart.
dofile("benchmarks/lua/summary.lua")

local round, number = "", 0
local shapes = {
  '"channel": "EMAIL"', '"channel": "EMAIL"', '"channel": "PUSH"', '"channel": "INAPP_WEB"',
  '"channel": "WEB_PUSH"', '"channel": "SLACK"', '"channel": "SMS", "cost": "0.0079"', '"channel": "CALL", "cost": "0.0235"',
}

function init(arguments)
  round = arguments[1]
  math.randomseed(os.time())
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  number = number + 1
  local id = string.format("%06x%06x-%s-%d", math.random(0, 0xffffff), math.random(0, 0xffffff), round, number)
  local body = string.format(
    '{"events": [{"id": "%s", %s, "occurredAt": "%s"}]}',
    id, shapes[number % #shapes + 1], os.date("!%Y-%m-%dT%H:%M:%SZ"))
  return wrk.format(nil, nil, nil, body)
end
