import KooPhoneSimulator
import KoobatchCloud
import KoobatchCore
import ServiceConformance
import Testing

/// What each fault of the API is taken for.
@Suite
struct FaultTests {
    /// A fault and the failure that it must end in.
    struct Case: Sendable, CustomTestStringConvertible {
        let rule: FaultRule
        let outcome: ServiceFailure.Outcome
        let status: Int?
        let code: String

        init(
            _ kind: FaultRule.Kind,
            _ outcome: ServiceFailure.Outcome,
            _ status: Int?,
            _ code: String,
            edit: (inout FaultRule) -> Void = { _ in }
        ) {
            var rule = FaultRule(kind, on: .any)
            edit(&rule)
            self.rule = rule
            self.outcome = outcome
            self.status = status
            self.code = code
        }

        var testDescription: String { "\(rule.kind) \(rule.status ?? 0) \(code)" }
    }

    static let cases: [Case] = [
        Case(.status, .unknown, 500, "KOOPHONE.API.9999"),
        Case(.status, .refused, 400, "KOOPHONE.API.1000") { $0.status = 400 },
        Case(.status, .unauthenticated, 401, "APIGW.0301") { $0.status = 401 },
        Case(.status, .refused, 401, "KOOPHONE.API.1001") {
            $0.status = 401
            $0.errorCode = "KOOPHONE.API.1001"
        },
        Case(.status, .refused, 403, "APIGW.0302") { $0.status = 403 },
        Case(.status, .refused, 404, "APIGW.0101") { $0.status = 404 },
        Case(.status, .refused, 413, "APIGW.0201") { $0.status = 413 },
        Case(.status, .throttled, 429, "APIGW.0308") { $0.status = 429 },
        Case(.status, .unknown, 502, "APIGW.0202") { $0.status = 502 },
        Case(.status, .unknown, 504, "koobatch.http.504") {
            $0.status = 504
            $0.body = "<html>Gateway timeout</html>"
        },
        Case(.statusAfter, .unknown, 504, "APIGW.0204"),
        Case(.error, .refused, 200, "KOOPHONE.API.2005"),
        Case(.error, .refused, 200, "KOOPHONE.API.2004") { $0.errorCode = "KOOPHONE.API.2004" },
        Case(.error, .throttled, 200, "APIG.0308") { $0.errorCode = "APIG.0308" },
        Case(.dropBefore, .unknown, nil, ServiceFailure.Code.connectionLost),
        Case(.dropAfter, .unknown, nil, ServiceFailure.Code.connectionLost),
        Case(.truncated, .unknown, nil, ServiceFailure.Code.connectionLost),
        Case(.malformed, .unknown, 200, ServiceFailure.Code.badAnswer),
        Case(.empty, .unknown, 200, ServiceFailure.Code.badAnswer),
    ]

    @Test(arguments: cases)
    func `A fault of a submission is classified`(_ example: Case) async throws {
        try await SimulatedAPI.serving(FaultPlan(rules: [example.rule])) { api in
            try await withClient(of: api.endpoint) { client in
                Self.check(await client.failure(), against: example)
            }
        }
    }

    @Test(arguments: cases)
    func `A fault of a query is classified alike`(_ example: Case) async throws {
        var rule = example.rule
        rule.on = .query
        try await SimulatedAPI.serving(FaultPlan(rules: [rule])) { api in
            try await withClient(of: api.endpoint) { client in
                let task = try await client.submit(.sample()).taskID
                Self.check(await client.failure(ofTask: task), against: example)
            }
        }
    }

    @Test
    func `A task id that is too long makes an answer unreadable`() async throws {
        try await SimulatedAPI.serving(FaultPlan(rules: [FaultRule(.longIDs)])) { api in
            try await withClient(of: api.endpoint) { client in
                let failure = await client.failure()
                #expect(failure?.outcome == .unknown)
                #expect(failure?.errorCode == ServiceFailure.Code.badAnswer)
                #expect(failure?.message.contains("data.task_id") == true)
            }
        }
    }

    @Test
    func `An answer that leaves instances out names them as missing`() async throws {
        var rule = FaultRule(.missingMappings)
        rule.count = 2
        try await SimulatedAPI.serving(FaultPlan(rules: [rule])) { api in
            try await withClient(of: api.endpoint) { client in
                let answer = try await client.submit(.sample(["a", "b", "c"]))
                #expect(try answer.jobIDList.count { $0 != nil } == 1)
                #expect(answer.missing == [1, 2])
            }
        }
    }

    @Test
    func `An instance with two jobs counts as missing`() async throws {
        try await SimulatedAPI.serving(FaultPlan(rules: [FaultRule(.duplicateMappings)])) { api in
            try await withClient(of: api.endpoint) { client in
                let answer = try await client.submit(.sample(["a", "b"]))
                #expect(try answer.jobIDList.map { $0 == nil } == [true, false])
                #expect(answer.missing == [0])
            }
        }
    }

    @Test
    func `A code of success may be a number`() async throws {
        try await SimulatedAPI.serving(FaultPlan(rules: [FaultRule(.numberCode, on: .any)])) { api in
            try await withClient(of: api.endpoint) { client in
                let accepted = try await client.submit(.sample())
                #expect(accepted.missing.isEmpty)
                let report = try await client.query(taskID: accepted.taskID, requestID: RequestID(rawValue: "q"))
                #expect(try Set(report.results.keys) == Set(accepted.jobIDList.compactMap(\.self)))
            }
        }
    }

    private static func check(_ failure: ServiceFailure?, against example: Case) {
        #expect(failure?.outcome == example.outcome)
        #expect(failure?.httpStatus == example.status)
        #expect(failure?.errorCode == example.code)
        #expect(failure?.message.isEmpty == false)
    }
}
