import Foundation
import KooPhoneSimulator
import Testing

/// The documented rules of `POST /v1/instances/async-command`.
@Suite struct SubmitTests {
    @Test func aSubmissionIsAnsweredWithATaskAndAJobForEveryInstance() async throws {
        try await withSimulator { client in
            let exchange = try await client.submit("ls -l /system", ["a44uhlf7", "efjy72gs"])
            #expect(exchange.status == 200)
            #expect(exchange.isComplete)
            #expect(exchange.fields["content-type"] == "application/json")
            #expect(exchange.body.hasSuffix(#""error_code":"0","error_msg":"ok"}"#))

            let answer = try exchange.decode(SubmitResponse.self)
            #expect(answer.data.cmd_jobs.map(\.instance_id) == ["a44uhlf7", "efjy72gs"])
            let ids = [answer.data.task_id] + answer.data.cmd_jobs.map(\.job_id)
            #expect(Set(ids).count == 3)
            #expect(ids.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{32}/) != nil })
        }
    }

    @Test func theJournalRecordsWhatWasExecuted() async throws {
        try await withSimulator { client in
            let answer = try await client.submit("ls", ["a", "b"], headers: ["x-request-id": #"r"1"#])
                .decode(SubmitResponse.self)
            let lines = try await client.journal()
            let line = try #require(lines.first)
            #expect(lines.count == 1)
            #expect(line.n == 1)
            #expect(line.at == "2025-06-15T15:06:40.000Z")
            #expect(line.request_id == #"r"1"#)
            #expect(line.command == "ls")
            #expect(line.instance_ids == ["a", "b"])
            #expect(line.executed)
            #expect(line.task_id == answer.data.task_id)
            #expect(line.jobs == answer.data.cmd_jobs.map { [$0.instance_id, $0.job_id] })
            #expect(line.answer == "200")
            #expect(line.error_code == "0")
            #expect(line.fault == nil)
        }
    }

    @Test(arguments: [
        ("", ["a"]), (String(repeating: "x", count: 1_025), ["a"]), ("ls; rm", ["a"]), ("ls $HOME", ["a"]),
        ("a,b", ["a"]), ("é", ["a"]), ("a\nb", ["a"]), ("a\"b", ["a"]),
        ("ls", []), ("ls", [""]), ("ls", [String(repeating: "i", count: 33)]), ("ls", ["a", "b", "a"]),
        ("ls", (0..<33).map { "i\($0)" }),
    ])
    func aRequestThatBreaksARuleIsAParameterErrorAndNotExecuted(command: String, instances: [String]) async throws {
        try await withSimulator { client in
            let exchange = try await client.submit(command, instances)
            #expect(exchange.status == 400)
            #expect(try exchange.decode(ErrorAnswer.self).error_code == "KOOPHONE.API.1000")
            let line = try #require(try await client.journal().first)
            #expect(!line.executed)
            #expect(line.task_id == nil)
            #expect(line.jobs.isEmpty)
            #expect(line.command == command)
            #expect(line.instance_ids == instances)
            #expect(line.answer == "400")
        }
    }

    @Test(arguments: [
        "", "{}", "[]", "ls", #"{"command":"ls"}"#, #"{"instance_ids":["a"]}"#, #"{"command":1,"instance_ids":["a"]}"#,
        #"{"command":"ls","instance_ids":"a"}"#, #"{"command":"ls","instance_ids":["a",1]}"#,
        #"{"command":"ls","instance_ids":["a"]"#, #"{"command":"ls","instance_ids":["a"]}}"#,
        #"{"command":"ls" "instance_ids":["a"]}"#,
    ])
    func aBodyThatIsNotADocumentOfThisShapeIsAParameterError(body: String) async throws {
        try await withSimulator { client in
            let exchange = try await client.submit(body: body)
            #expect(exchange.status == 400)
            #expect(try exchange.decode(ErrorAnswer.self).error_code == "KOOPHONE.API.1000")
        }
    }

    @Test(arguments: [
        (String(repeating: "x", count: 1_024), ["a"]), ("ls -l /system/a_b.c:d-e Z9", ["a"]),
        ("ls", [String(repeating: "i", count: 32)]), ("ls", [String(repeating: "é", count: 32)]),
        ("ls", ["a\"b", "c\\d"]), ("ls", (0..<32).map { "i\($0)" }),
    ])
    func aRequestAtTheLimitIsExecuted(command: String, instances: [String]) async throws {
        try await withSimulator { client in
            let answer = try await client.submit(command, instances).decode(SubmitResponse.self)
            #expect(answer.data.cmd_jobs.map(\.instance_id) == instances)
            #expect(try await client.journal().first?.instance_ids == instances)
        }
    }

    @Test(arguments: [
        #" { "instance_ids" : [ "a" , "b" ] , "command" : "ls" } "#,
        #"{"command":"l\u0073","instance_ids":["\u0061","b"],"ignored":{"x":1}}"#,
    ])
    func aBodyMayBeWrittenInAnyWayThatJSONAllows(body: String) async throws {
        try await withSimulator { client in
            #expect(try await client.submit(body: body).status == 200)
            let line = try #require(try await client.journal().first)
            #expect(line.command == "ls")
            #expect(line.instance_ids == ["a", "b"])
        }
    }

    @Test func theNumberOfInstancesIsConfigurable() async throws {
        try await withSimulator {
            $0.maxInstances = 100
        } _: { client in
            let most = try await client.submit("ls", (0..<100).map { "i\($0)" })
            let more = try await client.submit("ls", (0..<101).map { "i\($0)" })
            #expect((most.status, more.status) == (200, 400))
        }
    }

    @Test(arguments: [String?.none, ""])
    func aRequestIDIsMandatory(value: String?) async throws {
        try await withSimulator { client in
            let exchange = try await client.submit(headers: ["x-request-id": value])
            #expect(exchange.status == 200)
            #expect(try exchange.decode(ErrorAnswer.self).error_code == "KOOPHONE.API.0005")
            #expect(try await client.journal().first?.executed == false)
        }
    }

    @Test(arguments: [
        (String?.none, 400), ("text/plain", 400), ("application/json", 200), ("application/json; charset=utf-8", 200),
        ("Application/JSON;charset=utf8", 200),
    ])
    func theContentTypeIsJSON(value: String?, status: Int) async throws {
        try await withSimulator { client in
            let exchange = try await client.submit(headers: ["Content-Type": value])
            #expect(exchange.status == status)
        }
    }

    @Test(arguments: [("GET", "/v1/instances/async-command"), ("POST", "/v1/instances"), ("GET", "/")])
    func anUnknownPathIsTheGatewaysError(method: String, path: String) async throws {
        try await withSimulator { client in
            let exchange = try await client.send(method, path)
            #expect(exchange.status == 404)
            #expect(try exchange.decode(ErrorAnswer.self).error_code == "APIGW.0101")
        }
    }

    @Test func aBodyOfMoreThanFourMegabytesIsTooLarge() async throws {
        try await withSimulator { client in
            let exchange = try await client.submit(body: String(repeating: " ", count: 4 << 20 + 1))
            #expect(exchange.status == 413)
        }
    }
}
