-- wrk: POST an add to a random one of KEYS counters. PATH_PATTERN holds one %d where the key goes.
local keys = tonumber(os.getenv("KEYS"))
local pattern = os.getenv("PATH_PATTERN")
local headers = { ["content-type"] = "application/json" }
math.randomseed(42)
request = function()
  return wrk.format("POST", string.format(pattern, math.random(keys)), headers, '{"amount":1}')
end
-- One line the harness reads: counts, microseconds.
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
