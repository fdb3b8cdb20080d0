import Foundation
import Testing

/// Behaviours of single instances and commands.
@Suite struct BehaviourTests {
    static let frozen = #""refuse": {"error_code": "KOOPHONE.API.2004", "error_msg": "instance is frozen"}"#

    @Test func oneInstanceRefusesTheWholeRequest() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"instances": {"frozen*": {\#(Self.frozen)}}}"#)
            let exchange = try await client.submit("ls", ["a", "frozen-7", "b"])
            #expect(exchange.status == 200)
            #expect(try exchange.decode(ErrorAnswer.self).error_code == "KOOPHONE.API.2004")
            #expect(try await client.journal().first?.executed == false)
            #expect(try await client.submit("ls", ["a", "b"]).decode(SubmitResponse.self).data.cmd_jobs.count == 2)
        }
    }

    @Test(arguments: [
        #"{"refuse": {"status": 400, "error_code": "KOOPHONE.API.1001", "times": 2}}"#,
        #"{"refuse": {"status": 400, "error_code": "KOOPHONE.API.1001"}, "times": 2}"#,
    ])
    func aRefusalMayEnd(behaviour: String) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"instances": {"a": \#(behaviour)}}"#)
            var statuses: [Int?] = []
            for _ in 0..<3 {
                statuses.append(try await client.submit().status)
            }
            #expect(statuses == [400, 400, 200])
        }
    }

    @Test func instancesFailSpeakAndTakeTheirTime() async throws {
        try await withSimulator { client in
            try await client.putFaults(
                #"""
                {"duration": 1, "instances": {
                    "bad": {"fail": {"error_code": "CPS0005", "error_msg": "Phone not found."}},
                    "loud": {"output": "line\n\"two\""}, "slow": {"duration": 5}, "stuck": {"never": true}}}
                """#
            )
            let instances = ["plain", "bad", "loud", "slow", "stuck"]
            let task = try await client.submit("ls", instances).decode(SubmitResponse.self).data.task_id
            #expect(try await client.jobs(task).map(\.status) == [1, 1, 1, 1, 1])
            client.clock.advance(1)
            let jobs = try await client.jobs(task)
            #expect(jobs.map(\.status) == [2, -1, 2, 1, 1])
            #expect(jobs.map(\.execute_msg) == ["ok", "", "line\n\"two\"", "", ""])
            #expect((jobs[1].error_code, jobs[1].error_msg) == ("CPS0005", "Phone not found."))
            client.clock.advance(1_000_000)
            #expect(try await client.jobs(task).map(\.status) == [2, -1, 2, 2, 1])
        }
    }

    @Test func commandsBehaveLikewiseAndInstancesOverruleThem() async throws {
        try await withSimulator { client in
            try await client.putFaults(
                #"""
                {"commands": {"ls": {"output": "listing"}, "rm*": {\#(Self.frozen)}, "reboot": {"duration": 9}},
                 "instances": {"own": {"output": "mine"}}}
                """#
            )
            let listing = try await client.submit("ls", ["a", "own"]).decode(SubmitResponse.self).data.task_id
            #expect(try await client.jobs(listing).map(\.execute_msg) == ["listing", "mine"])
            #expect(try await client.submit("rm -r /x").decode(ErrorAnswer.self).error_code == "KOOPHONE.API.2004")
            let reboot = try await client.submit("reboot", ["own"]).decode(SubmitResponse.self).data.task_id
            #expect(try await client.jobs(reboot).map(\.status) == [1])
        }
    }

    @Test func theExactPatternWinsThenTheLongest() async throws {
        try await withSimulator { client in
            try await client.putFaults(
                #"""
                {"instances": {"*": {"output": "any"}, "a*": {"output": "a"}, "ab*": {"output": "ab"},
                               "abc": {"output": "exact"}}}
                """#
            )
            let task = try await client.submit("ls", ["x", "ax", "abx", "abc"]).decode(SubmitResponse.self).data.task_id
            #expect(try await client.jobs(task).map(\.execute_msg) == ["any", "a", "ab", "exact"])
        }
    }

    @Test func anOutputIsCutAt1024BytesBetweenCharacters() async throws {
        try await withSimulator { client in
            let output = "x" + String(repeating: "é", count: 600)
            try await client.putFaults(#"{"instances": {"a": {"output": "\#(output)"}}}"#)
            let task = try await client.submit("ls", ["a"]).decode(SubmitResponse.self).data.task_id
            #expect(try await client.jobs(task).map(\.execute_msg) == ["x" + String(repeating: "é", count: 511)])
        }
    }
}
