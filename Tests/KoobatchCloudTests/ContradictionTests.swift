import KoobatchCore
import Testing

@testable import KoobatchCloud

/// Answers that contradict themselves or their request are no verdict and no acceptance.
@Suite
struct ContradictionTests {
    private static func body(_ code: String, jobs: String = #"{"instance_id":"a","job_id":"1"}"#) -> String {
        #"{"data":{"task_id":"t-17","cmd_jobs":[\#(jobs)]},"error_code":\#(code),"error_msg":"m"}"#
    }

    @Test(
        arguments: [
            #""00000""#, #""success""#, #""OK""#, #""0 ""#, #""KOOPHONE.API.9999""#, #""KOOPHONE.API.1000""#,
            #""APIGW.0308""#, #""APIGW.0301""#, "1000", "-1",
        ],
        ["200 OK", "400 No", "401 No", "429 No", "500 No", "503 No"]
    )
    func `Data beside a code of failure means unknown and keeps the task_id`(code: String, status: String) async throws
    {
        let failure = try await RawExchange.submitting(RawServer.http(status, Self.body(code))).failure
        #expect(failure?.outcome == .unknown)
        #expect(failure?.errorCode == ServiceFailure.Code.contradiction)
        #expect(failure?.message.contains("t-17") == true)
    }

    @Test(arguments: ["302 Found", "400 No", "404 No", "500 No", "503 No"])
    func `A code of success beside a status of failure means unknown`(status: String) async throws {
        for body in [Self.body(#""0""#), #"{"error_code":"0"}"#] {
            let failure = try await RawExchange.submitting(RawServer.http(status, body)).failure
            #expect(failure?.outcome == .unknown)
            #expect(failure?.errorCode == ServiceFailure.Code.contradiction)
        }
    }

    @Test(arguments: [
        "", #"{"instance_id":"x","job_id":"1"},{"instance_id":"y","job_id":"2"}"#,
        #"{"instance_id":"A","job_id":"1"},{"instance_id":"B","job_id":"2"}"#,
        #"{"instance_id":" a","job_id":"1"},{"instance_id":"b ","job_id":"2"}"#,
        #"{"instance_id":"a","job_id":"1"},{"instance_id":"b","job_id":"1"}"#,
        #"{"instance_id":"a","job_id":"1"},{"instance_id":"a","job_id":"2"}"#,
        #"{"instance_id":"a","job_id":"1"},{"instance_id":"a","job_id":"2"},{"instance_id":"x","job_id":"3"}"#,
        #"{"instance_id":"a","job_id":""},{"instance_id":"b"}"#, "null,null",
        #"{"instance_id":"a","job_id":"1\u202e"}"#,
    ])
    func `A mapping of none of the instances is no acceptance`(jobs: String) async throws {
        let failure = try await RawExchange.submitting(RawServer.http("200 OK", Self.body(#""0""#, jobs: jobs))).failure
        #expect(failure?.outcome == .unknown)
        #expect(failure?.errorCode == ServiceFailure.Code.contradiction)
        #expect(failure?.message.contains("t-17") == true)
    }

    @Test
    func `Where others are named too, what is ours is kept only if nothing contradicts`() async throws {
        let foreign = #"{"instance_id":"x","job_id":"9"}"#
        let sound = #"{"instance_id":"a","job_id":"1"},\#(foreign)"#
        let kept = try await RawExchange.submitting(RawServer.http("200 OK", Self.body(#""0""#, jobs: sound))).get()
        #expect(kept == SubmitResponse(taskID: "t-17", jobIDs: #"["1",null]"#, missing: [1]))
        let doubtful = #"\#(sound),{"instance_id":"b","job_id":"2"},{"instance_id":"b","job_id":"3"}"#
        let failure = try await RawExchange.submitting(RawServer.http("200 OK", Self.body(#""0""#, jobs: doubtful)))
            .failure
        #expect(failure?.errorCode == ServiceFailure.Code.contradiction)
    }

    @Test(arguments: ["a\u{202E}b", "a\u{200B}", "a b", "é", "\u{FEFF}a", "a\u{2028}"])
    func `A task_id that is not visible ASCII is no task_id`(id: String) async throws {
        let body = Self.body(#""0""#).replacing("t-17", with: id)
        let failure = try await RawExchange.submitting(RawServer.http("200 OK", body)).failure
        #expect(failure?.outcome == .unknown)
        #expect(failure?.errorCode == ServiceFailure.Code.badAnswer)
        let shown = try #require(failure?.message)
        #expect(!shown.unicodeScalars.contains { $0.properties.generalCategory == .format })
    }

    @Test
    func `Two results for one job are none`() async throws {
        let body = #"""
            {"data":{"jobs":[{"job_id":"a","status":2},{"job_id":"a","status":-1},{"job_id":"b","status":2},
            {"job_id":"b","status":2}]},"error_code":"0"}
            """#
        let report = try await RawExchange.querying(Array(RawServer.http("200 OK", body).utf8)).get()
        #expect(report.results == ["b": InstanceResult(succeeded: true)])
    }

    @Test(arguments: ["408", "409", "499"])
    func `A bare status that may follow the act means unknown`(status: String) async throws {
        let failure = try await RawExchange.submitting(RawServer.http("\(status) X", "<html></html>")).failure
        #expect(failure?.outcome == .unknown)
        #expect(failure?.endpointFault == .certain)
    }

    @Test
    func `Characters that are not seen or change the order of others are escaped in texts`() async throws {
        let body = #"{"error_code":"X.\u202e1","error_msg":"a\u202Eb\u200Bc\u2028d\u2066e\uFEFFf"}"#
        let failure = try await RawExchange.submitting(RawServer.http("400 No", body)).failure
        #expect(failure?.message == #"a\u{202E}b\u{200B}c\u{2028}d\u{2066}e\u{FEFF}f"#)
        #expect(failure?.errorCode == #"X.\u{202E}1"#)
    }

    @Test(
        arguments: [
            #"{"instance_id":"x","job_id":"1"},{"instance_id":"a","job_id":"1"}"#,
            #"{"instance_id":"a","job_id":""},{"instance_id":"a","job_id":"1"}"#,
            #"{"instance_id":"a","job_id":"1"},{"instance_id":"a","job_id":"1 2"}"#,
        ]
    )
    func `A job that a stranger has too is not taken, nor one beside a bad name`(jobs: String) async throws {
        let body = Self.body(#""0""#, jobs: #"\#(jobs),{"instance_id":"b","job_id":"2"}"#)
        let result = try await RawExchange.submitting(RawServer.http("200 OK", body))
        switch result {
        case .success(let answer): #expect(answer.jobIDs == #"[null,"2"]"# && answer.missing == [0])
        case .failure(let failure): #expect(failure.errorCode == ServiceFailure.Code.contradiction)
        }
    }

    @Test(arguments: ["job_id", "status", "execute_msg"])
    func `A result that says something twice is none`(field: String) async throws {
        let value = field == "status" ? "2" : #""j""#
        let job = #"{"job_id":"j","status":2,"execute_msg":"j","\#(field)":\#(value)}"#
        let body = #"{"data":{"jobs":[\#(job)]},"error_code":"0"}"#
        let report = try await RawExchange.querying(Array(RawServer.http("200 OK", body).utf8)).get()
        #expect(report.results.isEmpty)
    }
}
