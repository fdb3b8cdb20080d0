import KoobatchCore
import Testing

@testable import KoobatchCloud

/// A token of real length goes nowhere, whole or cut, whatever field the other side puts it in.
@Suite
struct LongSecretTests {
    private static let token = (0..<250).map { "Ab\($0 % 10)/+x\($0)" }.joined()

    private static func leaks(_ text: String) -> Bool {
        text.lowercased().contains(token.prefix(12).lowercased()) || text.contains(token.dropFirst(100).prefix(17))
    }

    @Test(arguments: [2_000, 1_000, 499, 100, 20, 12])
    func `A failure holds no part of it`(length: Int) async throws {
        let echo = token(cutTo: length)
        for body in [
            #"{"error_code":"X.1","error_msg":"the token \#(echo) is bad"}"#,
            #"{"error_code":"X.\#(echo)","error_msg":"no"}"#,
            #"{"error_code":"X.1","error_msg":"\#(echo.replacing("/", with: #"\/"#))"}"#,
            #"{"data":{"task_id":"\#(echo)","cmd_jobs":[{"instance_id":"a","job_id":"1"}]},"error_code":"0"}"#,
            #"{"data":{"task_id":"\#(echo)","cmd_jobs":[]},"error_code":"X.1"}"#,
            #"{"data":{"task_id":"t","cmd_jobs":[{"instance_id":"a","job_id":"\#(echo)"}]},"error_code":"0"}"#,
        ] {
            for status in ["200 OK", "400 No", "401 No", "500 No"] {
                let result = try await RawExchange.submitting(RawServer.http(status, body), token: Self.token)
                let failure = try #require(result.failure)
                #expect(!Self.leaks(failure.message) && !Self.leaks(failure.errorCode), "\(status) \(body.prefix(60))")
            }
        }
    }

    private func token(cutTo length: Int) -> String { String(Self.token.prefix(length)) }

    @Test(arguments: [2_000, 1_000, 100, 12])
    func `A result holds no part of it`(length: Int) async throws {
        let echo = token(cutTo: length)
        let body = #"""
            {"data":{"jobs":[{"job_id":"j","status":-1,"error_code":"\#(echo)","error_msg":"x \#(echo)",
            "execute_msg":"out \#(echo) put"}]},"error_code":"0"}
            """#
        let report = try await RawExchange.querying(Array(RawServer.http("200 OK", body).utf8), token: Self.token).get()
        let result = try #require(report.results["j"])
        for text in [result.errorCode, result.errorMessage, result.output] {
            let shown = try #require(text)
            #expect(!Self.leaks(shown))
        }
        #expect(result.output == "out [secret] put")
    }

    @Test(arguments: ["\\u0000", "\\n", "\\u007f", "\\u0085", "\u{1}", "\u{7F}"])
    func `Control characters that are dropped do not put it together`(control: String) async throws {
        let echo = "\(Self.token.prefix(9))\(control)\(Self.token.dropFirst(9))"
        let body = #"{"error_code":"X.\#(echo)","error_msg":"the token \#(echo) is bad"}"#
        let result = try await RawExchange.submitting(RawServer.http("400 No", body), token: Self.token)
        let failure = try #require(result.failure)
        #expect(!Self.leaks(failure.message) && !Self.leaks(failure.errorCode))
    }

    @Test
    func `A content coding holds no part of it`() async throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Encoding: \(Self.token)\r\nContent-Length: 2\r\n\r\n{}"
        let failure = try #require(try await RawExchange.submitting(answer, token: Self.token).failure)
        #expect(!Self.leaks(failure.message))
    }
}
