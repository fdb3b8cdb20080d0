import Foundation
import NIOCore
import ServiceLifecycle
import Testing

/// Every kind of fault: what the client sees, and what the journal knows.
@Suite struct FaultTests {
    static let success = #""error_code":"0","error_msg":"ok"}"#

    @Test func aStatusRefusesWithoutActing() async throws {
        try await withSimulator { client in
            try await client.putFaults(
                #"""
                {"rules": [{"on": "submit", "kind": "status", "status": 503, "error_code": "common.00000400",
                            "error_msg": "busy \"now\"", "retry_after": "7"}]}
                """#
            )
            let exchange = try await client.submit()
            #expect(exchange.status == 503)
            #expect(exchange.fields["retry-after"] == "7")
            #expect(
                try exchange.decode(ErrorAnswer.self)
                    == ErrorAnswer(error_code: "common.00000400", error_msg: "busy \"now\"")
            )
            let line = try #require(try await client.journal().first)
            #expect((line.executed, line.answer, line.error_code) == (false, "503", "common.00000400"))
            #expect(line.fault == "status")
        }
    }

    @Test func aStatusMayBringABodyOfItsOwn() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "status", "status": 502, "body": "<html>"}]}"#)
            let exchange = try await client.submit()
            #expect((exchange.status, exchange.body) == (502, "<html>"))
        }
    }

    @Test func anErrorIsRefusedWithStatus200() async throws {
        try await withSimulator { client in
            try await client.putFaults(
                #"{"rules": [{"kind": "error", "error_code": "KOOPHONE.API.2006", "error_msg": "in backup"}]}"#
            )
            let exchange = try await client.submit()
            #expect(exchange.status == 200)
            #expect(try exchange.decode(ErrorAnswer.self).error_code == "KOOPHONE.API.2006")
            #expect(try await client.journal().first?.executed == false)
        }
    }

    @Test func aDelayHoldsTheAnswerBackAndLooksAtFurtherRules() async throws {
        try await withSimulator { client in
            try await client.putFaults(
                #"{"rules": [{"kind": "delay", "seconds": 0.05}, {"kind": "status", "status": 504}]}"#
            )
            let start = ContinuousClock.now
            #expect(try await client.submit().status == 504)
            #expect(ContinuousClock.now - start >= .milliseconds(50))
        }
    }

    @Test(arguments: [("drop_before", false), ("drop_after", true)])
    func aDropClosesTheConnectionWithoutAByte(kind: String, executed: Bool) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "\#(kind)"}]}"#)
            let exchange = try await client.submit(headers: ["Connection": nil])
            #expect(exchange.status == nil)
            #expect(exchange.body.isEmpty)
            let line = try #require(try await client.journal().first)
            #expect((line.executed, line.answer, line.error_code) == (executed, "dropped", nil))
            #expect(line.jobs.count == (executed ? 2 : 0))
            #expect(line.fault == kind)
        }
    }

    @Test(arguments: [true, false])
    func aHangLastsUntilTheClientGoesAway(acted: Bool) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "hang", "acted": \#(acted)}]}"#)
            let received = try await Connection.with(port: client.port) { connection in
                try await connection.send(
                    SimulatorClient.text(
                        "POST",
                        "/v1/instances/async-command",
                        body: try SimulatorClient.body("ls", ["a"])
                    )
                )
                while try await client.journal().isEmpty {}
                connection.outbound.finish()
                return try await connection.readToEnd()
            }
            #expect(received.isEmpty)
            let line = try #require(try await client.journal().first)
            #expect((line.executed, line.answer) == (acted, "hung"))
        }
    }

    @Test(arguments: [#""kind": "hang""#, #""kind": "delay", "seconds": 3600"#])
    func aShutdownDoesNotWaitForRequestsThatAreHeldBack(rule: String) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{\#(rule)}]}"#)
            let received = try await Connection.with(port: client.port) { connection in
                try await connection.send(
                    SimulatorClient.text(
                        "POST",
                        "/v1/instances/async-command",
                        body: try SimulatorClient.body("ls", ["a"])
                    )
                )
                while try await client.journal().isEmpty {}
                await client.group?.triggerGracefulShutdown()
                return try await connection.readToEnd()
            }
            #expect(received.isEmpty)
        }
    }

    @Test func aStatusAfterLosesTheAnswerOfAnExecutedCommand() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "status_after", "status": 504}]}"#)
            let exchange = try await client.submit()
            #expect(exchange.status == 504)
            #expect(try exchange.decode(ErrorAnswer.self).error_code.hasPrefix("APIGW.02"))
            let line = try #require(try await client.journal().first)
            #expect((line.executed, line.answer) == (true, "504"))
        }
    }

    @Test func aTruncatedAnswerEndsInTheMiddle() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "truncated", "times": 1}]}"#)
            let exchange = try await client.submit()
            let whole = try await client.submit()
            #expect(exchange.status == 200)
            #expect(exchange.fields["content-length"] == whole.fields["content-length"])
            #expect(exchange.body.utf8.count == whole.body.utf8.count / 2)
            let line = try #require(try await client.journal().first)
            #expect((line.executed, line.answer, line.error_code) == (true, "truncated", nil))
        }
    }

    @Test(arguments: [("malformed", "text/html", true), ("empty", "application/json", false)])
    func anAnswerMayBeSomethingElse(kind: String, type: String, hasBody: Bool) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "\#(kind)"}]}"#)
            let exchange = try await client.submit()
            #expect(exchange.status == 200)
            #expect(exchange.isComplete)
            #expect(exchange.fields["content-type"] == type)
            #expect(exchange.body.hasPrefix("<html>") == hasBody)
            #expect(exchange.body.isEmpty == !hasBody)
            let line = try #require(try await client.journal().first)
            #expect((line.executed, line.answer) == (true, kind))
        }
    }

    @Test(arguments: [
        (#""kind": "missing_mappings", "count": 2"#, ["a"]), (#""kind": "missing_mappings""#, ["a", "b"]),
        (#""kind": "missing_mappings", "count": 9"#, []),
        (#""kind": "extra_mappings""#, ["a", "b", "c", "not-asked-for"]),
        (#""kind": "duplicate_mappings""#, ["a", "a", "b", "c"]), (#""kind": "number_code""#, ["a", "b", "c"]),
        (#""kind": "long_ids""#, ["a", "b", "c"]),
    ])
    func theMappingMayBeWrong(rule: String, instances: [String]) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{\#(rule)}]}"#)
            let exchange = try await client.submit("ls", ["a", "b", "c"])
            let answer = try exchange.decode(SubmitResponse.self)
            #expect(answer.data.cmd_jobs.map(\.instance_id) == instances)
            #expect(Set(answer.data.cmd_jobs.map(\.job_id)).count == instances.count)
            #expect(exchange.body.contains(#""error_code":0,"#) == rule.contains("number_code"))
            #expect((answer.data.task_id.count > 32) == rule.contains("long_ids"))
            let line = try #require(try await client.journal().first)
            #expect(line.executed)
            #expect(line.jobs.map(\.first) == ["a", "b", "c"])
        }
    }

    @Test(arguments: [
        (#""kind": "missing_mappings""#, 1), (#""kind": "extra_mappings""#, 3), (#""kind": "duplicate_mappings""#, 3),
    ])
    func aQueryMayBeWrongToo(rule: String, jobs: Int) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"on": "query", \#(rule)}]}"#)
            let task = try await client.submit().decode(SubmitResponse.self).data.task_id
            #expect(try await client.jobs(task).count == jobs)
        }
    }

    @Test func aRuleSparesTheOtherEndpoints() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"on": "query", "kind": "status", "status": 500}]}"#)
            let task = try await client.submit().decode(SubmitResponse.self).data.task_id
            #expect(try await client.query(task).status == 500)
            try await client.putFaults(#"{"rules": [{"on": "any", "kind": "drop_before"}]}"#)
            #expect(try await client.query(task).status == nil)
            #expect(try await client.submit().status == nil)
            #expect(try await client.send("GET", "/sim/stats").status == 200)
        }
    }

    @Test func aRuleSkipsRequestsAndFiresAFewTimes() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "status", "status": 500, "skip": 1, "times": 2}]}"#)
            var statuses: [Int?] = []
            for _ in 0..<5 {
                statuses.append(try await client.submit().status)
            }
            #expect(statuses == [200, 500, 500, 200, 200])
        }
    }

    @Test func aSeedRepeatsTheDraws() async throws {
        let plan = #"{"seed": 7, "rules": [{"kind": "status", "status": 500, "probability": 0.5}]}"#
        try await withSimulator { client in
            var runs: [[Int?]] = []
            for _ in 0..<2 {
                try await client.putFaults(plan)
                var statuses: [Int?] = []
                for _ in 0..<20 {
                    statuses.append(try await client.submit().status)
                }
                runs.append(statuses)
            }
            #expect(runs[0] == runs[1])
            #expect(Set(runs[0]) == [200, 500])
        }
    }
}
