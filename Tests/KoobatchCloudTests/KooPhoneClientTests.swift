import KooPhoneSimulator
import KoobatchCloud
import KoobatchCore
import ServiceConformance
import TestSupport
import Testing

@Suite
struct KooPhoneClientTests {
    @Test
    func `The client is a command service`() async throws {
        try await SimulatedAPI.serving { api in
            try await withClient(of: api.endpoint) { client in
                try await CommandServiceConformance(service: client).check()
            }
        }
    }

    @Test
    func `A submission is what the API documents`() async throws {
        let body = #"{"data":{"task_id":"t","cmd_jobs":[{"instance_id":"a","job_id":"1"}]},"error_code":"0"}"#
        try await RawServer.serving(.answer(RawServer.http("200 OK", body))) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)/prefix/") { client in
                let request = SubmitRequest(
                    requestID: RequestID(rawValue: "trace"),
                    command: "echo \"\\\u{1}é/",
                    instances: InstanceIDs(["a", "b"])
                )
                _ = try await client.submit(request)
            }
            let text = try #require(server.received.first)
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
            let lines = parts[0].split(separator: "\r\n").map(String.init)
            #expect(lines.first == "POST /prefix/v1/instances/async-command HTTP/1.1")
            #expect(
                Set(lines.dropFirst().map { $0.lowercased() }) == [
                    "host: 127.0.0.1:\(port)", "user-agent: koobatch/test", "x-request-id: trace",
                    "content-type: application/json", "x-auth-token: valid-token",
                    "content-length: \(parts[1].utf8.count)", "accept-encoding: identity",
                ]
            )
            #expect(parts[1] == #"{"command":"echo \"\\\u0001é/","instance_ids":["a","b"]}"#)
        }
    }

    @Test
    func `A query is what the API documents`() async throws {
        let body = #"{"data":{"jobs":[]},"error_code":"0"}"#
        try await RawServer.serving(.answer(RawServer.http("200 OK", body))) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                _ = try await client.query(taskID: "a/b?c", requestID: RequestID(rawValue: "trace"))
            }
            let lines = try #require(server.received.first).split(separator: "\r\n").map { $0.lowercased() }
            #expect(lines.first == "get /v1/instances/tasks/a%2fb%3fc http/1.1")
            #expect(
                Set(lines.dropFirst()) == [
                    "host: 127.0.0.1:\(port)", "user-agent: koobatch/test", "x-request-id: trace",
                    "x-auth-token: valid-token", "accept-encoding: identity",
                ]
            )
        }
    }

    @Test
    func `A redirect is not followed; whoever sent it may have acted`() async throws {
        try await RawServer.serving(.silence) { other, otherPort in
            let redirect = RawServer.http(
                "307 Temporary Redirect",
                headers: ["Location: http://127.0.0.1:\(otherPort)/x"],
                ""
            )
            try await RawServer.serving(.answer(redirect)) { _, port in
                try await withClient(of: "http://127.0.0.1:\(port)") { client in
                    let failure = await client.failure()
                    #expect(failure?.outcome == .unknown)
                    #expect(failure?.endpointFault == .certain)
                    #expect(failure?.errorCode == ServiceFailure.Code.redirect)
                    #expect(failure?.httpStatus == 307)
                    #expect(failure?.message.contains("127.0.0.1") == true)
                    #expect(await client.failure(ofTask: "t")?.errorCode == ServiceFailure.Code.redirect)
                }
            }
            #expect(other.connectionCount == 0)
        }
    }

    @Test
    func `An unasked instance is ignored and logged`() async throws {
        let log = LogRecorder()
        try await SimulatedAPI.serving(FaultPlan(rules: [FaultRule(.extraMappings)])) { api in
            try await withClient(of: api.endpoint, logger: log.logger) { client in
                let answer = try await client.submit(.sample())
                #expect(answer.missing.isEmpty)
            }
        }
        #expect(log.lines.count == 1)
        #expect(log.lines.allSatisfy { $0.hasPrefix("warning") && !$0.contains(SimulatedAPI.token) })
    }
}
