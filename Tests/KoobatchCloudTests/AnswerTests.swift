import KoobatchCloud
import KoobatchCore
import Testing

/// What each form of answer is taken for.
@Suite
struct AnswerTests {
    static let unreadable: [(body: String, flaw: String)] = [
        ("", "empty"),
        ("<html></html>", "JSON"),
        (#"{"data":{"task_id":"t","cmd_jobs":["#, "JSON"),
        ("[]", "JSON"),
        ("{}", "error_code"),
        (#"{"data":{"task_id":"t","cmd_jobs":[]}}"#, "error_code"),
        (#"{"data":{"task_id":"t","cmd_jobs":[]},"error_code":null}"#, "error_code"),
        (#"{"error_code":"0"}"#, "data is missing"),
        (#"{"data":{"cmd_jobs":[]},"error_code":"0"}"#, "data.task_id is missing"),
        (#"{"data":{"task_id":"","cmd_jobs":[]},"error_code":"0"}"#, "data.task_id"),
        (#"{"data":{"task_id":"a\u0000b","cmd_jobs":[]},"error_code":"0"}"#, "data.task_id"),
        (#"{"data":{"task_id":"t"},"error_code":"0"}"#, "data.cmd_jobs"),
    ]

    @Test(arguments: unreadable)
    func `An answer that cannot be read means unknown, and says why`(_ example: (body: String, flaw: String))
        async throws
    {
        let failure = try await Self.failure("200 OK", example.body)
        #expect(failure?.outcome == .unknown)
        #expect(failure?.errorCode == ServiceFailure.Code.badAnswer)
        #expect(failure?.message.contains(example.flaw) == true)
        #expect(failure?.httpStatus == 200)
    }

    @Test
    func `An answer that is too long means unknown`() async throws {
        let failure = try await Self.failure("200 OK", String(repeating: " ", count: 1 << 20) + "{}")
        #expect(failure?.outcome == .unknown)
        #expect(failure?.errorCode == ServiceFailure.Code.badAnswer)
        #expect(failure?.message.contains("longer") == true)
    }

    @Test
    func `An answer without a length that is too long means unknown`() async throws {
        let body = "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: " ", count: 2 << 20)
        let failure = try await Self.failure(raw: body)
        #expect(failure?.outcome == .unknown)
        #expect(failure?.errorCode == ServiceFailure.Code.badAnswer)
    }

    @Test(arguments: [
        (#"{"error_code":1000,"error_msg":"no"}"#, "1000"),
        (#"{"error_code":"common.00000400","error_msg":"no"}"#, "common.00000400"),
        (#"{"error_code":"APIG.0106","error_msg":"no","request_id":"r"}"#, "APIG.0106"),
        (#"{"error_code":"X.1","error_msg":"no","data":null}"#, "X.1"),
        (#"{"error_code":"X.1","error_msg":"no","data":{"cmd_jobs":[],"task_id":""}}"#, "X.1"),
    ])
    func `A refusal has the code of its body, whatever form that has`(body: String, code: String) async throws {
        let failure = try await Self.failure("400 Bad Request", body)
        #expect(failure?.outcome == .refused)
        #expect(failure?.errorCode == code)
        #expect(failure?.httpStatus == 400)
        #expect(failure?.endpointFault == EndpointFault.none)
    }

    @Test(arguments: [
        #"{"error":{"code":400}}"#, "<html>Bad request</html>", "", #"{"error_code":"X.1","error_code":"X.1"}"#,
        #"{"error_code":"X.1""#, #"{"error_code":"X.1"} x"#, #"{"error_code":""}"#, #"["error_code"]"#,
    ])
    func `A refusal without the API's error body is the endpoint's fault`(body: String) async throws {
        for status in [400, 403, 404, 405, 413, 414, 431, 451] {
            let failure = try await Self.failure("\(status) No", body)
            #expect(failure?.outcome == .refused)
            #expect(failure?.errorCode == "koobatch.http.\(status)")
            #expect(failure?.endpointFault == .certain)
        }
    }

    @Test
    func `A message is bounded and holds no control characters`() async throws {
        let long = #"a\u0007\nb"# + String(repeating: "é", count: 600)
        let failure = try await Self.failure("400 Bad Request", #"{"error_code":"x","error_msg":"\#(long)"}"#)
        #expect(failure?.message == "a b" + String(repeating: "é", count: 497))
    }

    @Test(arguments: ["400 Bad Request", "401 Unauthorized", "200 OK"])
    func `A token that the API puts into its answer goes no further`(status: String) async throws {
        let body = #"{"error_code":"X.\#(SimulatedAPI.token)","error_msg":"token \#(SimulatedAPI.token) is bad"}"#
        let failure = try await Self.failure(status, body)
        #expect(failure?.message == "token [secret] is bad")
        #expect(failure?.errorCode == "X.[secret]")
    }

    @Test
    func `Any status of success is read like 200`() async throws {
        let body = #"{"data":{"task_id":"t","cmd_jobs":[{"instance_id":"a","job_id":"j"}]},"error_code":"0"}"#
        let answer = try await Self.submitting(RawServer.http("202 Accepted", body))
        #expect(try answer.get() == SubmitResponse(taskID: "t", jobIDs: #"["j",null]"#, missing: [1]))
    }

    @Test
    func `Mappings that cannot be used are left out`() async throws {
        let jobs = [
            #"{"instance_id":"a","job_id":"1"}"#, #"{"instance_id":"a","job_id":"1"}"#,
            #"{"instance_id":"b","job_id":""}"#,
            #"{"instance_id":"c","job_id":"\#(String(repeating: "x", count: 65))"}"#,
            #"{"instance_id":"d"}"#, #"{"job_id":"5"}"#, #"{"instance_id":"e","job_id":6}"#,
            #"{"instance_id":"f","job_id":"7"}"#, #"{"instance_id":"f","job_id":"8"}"#,
            #"{"instance_id":"f","job_id":"7"}"#, "null",
            #"{"instance_id":"g","job_id":"9"}"#, #"{"instance_id":"h","job_id":"9"}"#,
            #"{"instance_id":"i","job_id":"  "}"#,
        ]
        let body = #"{"data":{"task_id":"t","cmd_jobs":[\#(jobs.joined(separator: ","))]},"error_code":0}"#
        let answer = try await Self.submitting(
            RawServer.http("200 OK", body),
            .sample(["a", "b", "c", "d", "e", "f", "g", "h", "i"])
        )
        #expect(
            try answer.get()
                == SubmitResponse(
                    taskID: "t",
                    jobIDs: #"["1",null,null,null,"6",null,null,null,null]"#,
                    missing: [1, 2, 3, 5, 6, 7, 8]
                )
        )
    }

    @Test
    func `Results are read leniently, one by one`() async throws {
        let jobs = [
            "null", #"{"job_id":"run","status":1}"#,
            #"{"job_id":"ok","status":2,"error_code":"","error_msg":"","execute_msg":" a\nb "}"#,
            #"{"job_id":"text","status":"2"}"#,
            #"{"job_id":"bad","status":-1,"error_code":"CPS0005","error_msg":"Phone not\u0007 found.","execute_msg":"x"}"#,
            #"{"job_id":"odd","status":7}"#, #"{"job_id":"none"}"#, #"{"status":2}"#, #"{"job_id":"","status":2}"#,
            #"{"job_id":"long","status":2,"execute_msg":"\#(String(repeating: "é", count: 5_000))"}"#,
        ]
        let body = #"{"data":{"jobs":[\#(jobs.joined(separator: ","))]},"error_code":"0","error_msg":"ok"}"#
        let report = try await Self.querying(RawServer.http("200 OK", body))
        #expect(
            report.results == [
                "ok": InstanceResult(succeeded: true, output: " a\nb "),
                "text": InstanceResult(succeeded: true),
                "bad": InstanceResult(
                    succeeded: false,
                    errorCode: "CPS0005",
                    errorMessage: "Phone not found.",
                    output: "x"
                ),
                "long": InstanceResult(succeeded: true, output: String(repeating: "é", count: 4_096)),
            ]
        )
    }

    @Test
    func `A report without jobs is unreadable`() async throws {
        await #expect(throws: ServiceFailure.self) {
            try await Self.querying(RawServer.http("200 OK", #"{"data":{},"error_code":"0"}"#))
        }
    }

    @Test
    func `Output that is not UTF-8 spoils no other result`() async throws {
        let body =
            #"{"data":{"jobs":[{"job_id":"a","status":2,"execute_msg":"x?"},{"job_id":"b","status":2}]},"error_code":"0"}"#
        let report = try await Self.querying(
            RawServer.http("200 OK", body).utf8.map { $0 == UInt8(ascii: "?") ? 0xC3 : $0 }
        )
        #expect(report.results["a"]?.output == "x\u{FFFD}")
        #expect(report.results["b"]?.succeeded == true)
    }

    /// A value as it stands in the answer, and as it is read: as output, and as error code and message.
    @Test(
        arguments: [
            (#""A\u0000B""#, "A\u{FFFD}B", "A\u{FFFD}B"), (#""x\ud83d""#, "x\u{FFFD}", "x\u{FFFD}"),
            ("\"a\nb\"", "a\nb", "a b"), ("\"a\r\n\tb\u{7}c\"", "a\r\n\tb\u{7}c", "a bc"),
            (#""\q\x41""#, #"\q\x41"#, #"\q\x41"#),
            ("7", "7", "7"), ("7.50", "7.50", "7.50"), ("true", "true", "true"), ("null", nil, nil),
            (#"{"a": ["b\n"]}"#, "{\"a\": [\"b\n\"]}", #"{"a": ["b "]}"#), ("[]", "[]", "[]"),
        ] as [(String, String?, String?)]
    )
    func `What is readable of a text is kept`(value: String, output: String?, sentence: String?) async throws {
        let body = """
            {"data":{"jobs":[{"job_id":"j","status":-1,"execute_msg":\(value),"error_code":\(value),"error_msg":\(value)}]},
            "error_code":"0"}
            """
        let result = try #require(try await Self.querying(RawServer.http("200 OK", body)).results["j"])
        #expect(result.output == output)
        #expect(result.errorCode == sentence && result.errorMessage == sentence)
    }

    private static func failure(_ status: String, _ body: String) async throws -> ServiceFailure? {
        try await failure(raw: RawServer.http(status, body))
    }

    private static func failure(raw answer: String) async throws -> ServiceFailure? {
        switch try await submitting(answer) {
        case .success: nil
        case .failure(let failure): failure
        }
    }

    private static func submitting(
        _ answer: String,
        _ request: SubmitRequest = .sample()
    ) async throws -> Result<SubmitResponse, ServiceFailure> {
        var result: Result<SubmitResponse, ServiceFailure>?
        try await RawServer.serving(.answerAndClose(answer)) { _, port in
            result = try await withClient(of: "http://127.0.0.1:\(port)") { client in
                do throws(ServiceFailure) {
                    return .success(try await client.submit(request))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try #require(result)
    }

    private static func querying(_ answer: String) async throws -> TaskReport {
        try await querying(Array(answer.utf8))
    }

    private static func querying(_ answer: [UInt8]) async throws -> TaskReport {
        var report: TaskReport?
        try await RawServer.serving(.answerBytesAndClose(answer)) { _, port in
            report = try await withClient(of: "http://127.0.0.1:\(port)") { client in
                try await client.query(taskID: "t", requestID: RequestID(rawValue: "q"))
            }
        }
        return try #require(report)
    }
}
