import Foundation
import KooPhoneSimulator
import Logging
import Testing

/// The control API, and how the simulator starts.
@Suite struct ControlTests {
    static let plan = #"""
        {"seed": 7, "duration": 0.2, "limit": {"per_second": 20, "retry_after": true},
         "rules": [{"on": "any", "kind": "status", "probability": 0.5, "times": 3, "skip": 1, "status": 503,
                    "error_code": "x", "error_msg": "y", "retry_after": "2", "body": "z"}],
         "instances": {"Abc*": {"refuse": {"status": 200, "error_code": "c", "error_msg": "m", "times": 1}}},
         "commands": {"ls": {"fail": {"error_code": "c", "error_msg": "m"}, "output": "o", "duration": 5, "never": true}}}
        """#

    @Test func thePlanInForceCanBeReadAndCleared() async throws {
        try await withSimulator { client in
            try await client.putFaults(Self.plan)
            let expected = try JSONDecoder().decode(FaultPlan.self, from: Data(Self.plan.utf8))
            let read = try await client.send("GET", "/sim/faults")
            #expect(try read.decode(FaultPlan.self) == expected)
            #expect(read.body.contains(#""per_second":20"#))
            #expect(read.body.contains(#""error_code":"c""#))
            _ = try await client.send("DELETE", "/sim/faults")
            #expect(try await client.send("GET", "/sim/faults").decode(FaultPlan.self) == FaultPlan())
        }
    }

    @Test(arguments: [
        "", "[]", #"{"rule": []}"#, #"{"rules": [{"kind": "nonsense"}]}"#, #"{"rules": [{"on": "submit"}]}"#,
        #"{"rules": [{"kind": "status", "probabilty": 1}]}"#, #"{"rules": [{"kind": "status", "probability": 2}]}"#,
        #"{"rules": [{"kind": "delay"}]}"#, #"{"rules": [{"kind": "status", "status": 99}]}"#, #"{"duration": -1}"#,
        #"{"limit": {"per_second": -1}}"#, #"{"limit": {}}"#, #"{"instances": {"a": {"refuse": {}}}}"#,
        #"{"instances": {"a": {"fails": true}}}"#,
    ])
    func aPlanWithAMistakeIsRefusedAndTheOldOneStays(plan: String) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"duration": 3}"#)
            #expect(try await client.send("PUT", "/sim/faults", body: plan).status == 400)
            #expect(try await client.send("GET", "/sim/faults").decode(FaultPlan.self) == FaultPlan(duration: 3))
        }
    }

    @Test func aLongJournalIsReadInPartsAndFromAnyPlace() async throws {
        try await withSimulator { client in
            for _ in 0..<600 {
                _ = try await client.submit("ls", ["a"])
            }
            #expect(try await client.journal().map(\.n) == Array(1...600))
            #expect(try await client.journal(after: 250).map(\.n) == Array(251...600))
            #expect(try await client.journal(after: 600).isEmpty)
            #expect(try await client.journal(after: 9_999).isEmpty)
            _ = try await client.send("POST", "/sim/reset")
            #expect(try await client.journal().isEmpty)
            #expect(try await client.statistics().values.allSatisfy { $0 == 0 })
        }
    }

    @Test func arrivalsAreToldToTheMicrosecondAndByTheFirstInstance() async throws {
        try await withSimulator { client in
            _ = try await client.submit("ls", ["a1", "b9"])
            client.clock.advance(0.000_250)
            _ = try await client.submit("ls", ["b1"])
            client.clock.advance(1.5)
            _ = try await client.submit("ls", ["b2", "a9"])
            _ = try await client.submit("ls", [])
            func arrivals(_ query: String = "") async throws -> [String] {
                try await client.send("GET", "/sim/arrivals\(query)").body.split(separator: "\n").map(String.init)
            }
            let lines = [
                #"{"n":1,"microseconds":1750000000000000,"instance_id":"a1"}"#,
                #"{"n":2,"microseconds":1750000000000250,"instance_id":"b1"}"#,
                #"{"n":3,"microseconds":1750000001500250,"instance_id":"b2"}"#,
            ]
            #expect(try await arrivals() == lines)
            #expect(try await arrivals("?prefix=b") == [lines[1], lines[2]])
            #expect(try await arrivals("?prefix=b&limit=1") == [lines[1]])
            #expect(try await arrivals("?prefix=c").isEmpty)
        }
    }

    @Test func theCountersAddUp() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"kind": "drop_before", "skip": 1, "times": 1}]}"#)
            let task = try await client.submit("ls", ["a", "b", "c"]).decode(SubmitResponse.self).data.task_id
            _ = try await client.submit()
            _ = try await client.submit("ls", [])
            client.clock.advance(0.5)
            _ = try await client.query(task)
            client.clock.advance(0.6)
            _ = try await client.submit(headers: ["X-Auth-Token": nil])
            #expect(
                try await client.statistics() == [
                    "submissions_received": 4, "submissions_executed": 1, "submissions_refused": 1,
                    "submissions_throttled": 0, "submissions_ignored": 1, "unauthenticated": 1,
                    "queries_received": 1, "queries_throttled": 0, "tokens_issued": 0, "tokens_refused": 0,
                    "instances_executed": 3, "max_instances_in_one_request": 3,
                    "peak_requests_within_one_second": 4,
                ]
            )
        }
    }

    @Test func anUnknownControlIsNotFound() async throws {
        try await withSimulator { client in
            let exchange = try await client.send("GET", "/sim/nonsense")
            #expect(exchange.status == 404)
        }
    }

    @Test(arguments: ["0.0.0.0", "192.168.0.1", "example.com", "127.0.0.1.example.com", "127.1", ""])
    func itListensOnThisMachineOnly(host: String) async {
        var configuration = SimulatorConfiguration()
        configuration.host = host
        let simulator = Simulator(configuration: configuration, logger: Logger(label: "test"))
        await #expect(throws: SimulatorError.self) {
            try await simulator.run()
        }
    }
}
