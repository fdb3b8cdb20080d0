-- One request of 32 instances over and over, nothing kept: what the simulator and the loopback can do.
local names = {}
for i = 0, 31 do
    names[#names + 1] = '"w' .. i .. '"'
end
wrk.method = "POST"
wrk.body = '{"command":"ls","instance_ids":[' .. table.concat(names, ",") .. "]}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Auth-Token"] = "bench"
wrk.headers["x-request-id"] = "wrk"
