-- What the harness reads: one line of JSON. Answers of 400 and more are errors, as is all that was not answered.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'wrk-summary {"requests": %d, "microseconds": %d, "errors": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
