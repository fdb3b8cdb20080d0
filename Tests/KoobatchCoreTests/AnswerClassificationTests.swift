import KoobatchCore
import TestSupport
import Testing

/// Every code and status that the API documents, what its answer means for the request and what koobatch does about it.
@Suite("Answer classification")
struct AnswerClassificationTests {
    struct Answer: Sendable, CustomTestStringConvertible {
        let status: Int
        let code: String?
        let outcome: ServiceFailure.Outcome
        let action: ErrorAction

        var testDescription: String { "\(status) \(code ?? "without a code")" }

        init(_ status: Int, _ code: String?, _ outcome: ServiceFailure.Outcome, _ action: ErrorAction) {
            self.status = status
            self.code = code
            self.outcome = outcome
            self.action = action
        }
    }

    static let answers: [Answer] = [
        Answer(400, "KOOPHONE.API.1000", .refused, .split),
        Answer(400, "KOOPHONE.API.1001", .refused, .split),
        Answer(401, "KOOPHONE.API.1001", .refused, .split),
        Answer(400, "KOOPHONE.API.1002", .refused, .split),
        Answer(200, "KOOPHONE.API.1012", .refused, .split),
        Answer(200, "KOOPHONE.API.2004", .refused, .split),
        Answer(200, "KOOPHONE.API.2005", .refused, .isolate),
        Answer(200, "KOOPHONE.API.2006", .refused, .isolate),
        Answer(200, "KOOPHONE.API.0000", .refused, .stop),
        Answer(200, "KOOPHONE.API.0001", .refused, .stop),
        Answer(200, "KOOPHONE.API.0002", .refused, .stop),
        Answer(200, "KOOPHONE.API.0004", .refused, .stop),
        Answer(200, "KOOPHONE.API.0005", .refused, .stop),
        Answer(200, "KOOPHONE.API.1004", .refused, .stop),
        Answer(400, "KOOPHONE.API.1323", .refused, .fail),
        Answer(500, "KOOPHONE.API.9999", .refused, .retry),
        Answer(401, "APIGW.0301", .unauthenticated, .authenticate),
        Answer(401, "APIG.0301", .unauthenticated, .authenticate),
        Answer(401, "APIGW.9999", .unauthenticated, .authenticate),
        Answer(401, nil, .unauthenticated, .authenticate),
        Answer(403, "APIGW.0301", .unauthenticated, .authenticate),
        Answer(400, "APIG.0301", .unauthenticated, .authenticate),
        Answer(429, "APIGW.0308", .throttled, .retry),
        Answer(429, "APIG.0308", .throttled, .retry),
        Answer(200, "APIGW.0308", .throttled, .retry),
        Answer(429, nil, .throttled, .retry),
        Answer(403, "APIGW.0302", .refused, .stop),
        Answer(403, "APIGW.0303", .refused, .stop),
        Answer(403, nil, .refused, .stop),
        Answer(404, "APIGW.0101", .refused, .stop),
        Answer(404, nil, .refused, .stop),
        Answer(413, "APIGW.0201", .refused, .fail),
        Answer(413, nil, .refused, .fail),
        Answer(502, nil, .unknown, .retry),
        Answer(502, "APIGW.0202", .unknown, .retry),
        Answer(503, nil, .refused, .retry),
        Answer(503, "APIGW.0203", .refused, .retry),
        Answer(504, nil, .unknown, .retry),
        Answer(504, "APIGW.0203", .unknown, .retry),
        // Not documented: the fault may be one instance's.
        Answer(400, "common.00000400", .refused, .split),
        Answer(200, "KOOPHONE.API.7777", .refused, .split),
        Answer(400, nil, .refused, .split),
        Answer(408, nil, .refused, .retry),
        Answer(500, nil, .refused, .retry),
        Answer(403, "KOOPHONE.API.7777", .refused, .split),
        Answer(404, "common.00000404", .refused, .split),
        // Nobody has said what these mean: the service may have acted.
        Answer(101, nil, .unknown, .split),
        Answer(520, nil, .unknown, .retry),
        Answer(999, nil, .unknown, .retry),
    ]

    @Test("says what every documented answer means and what is done about it", arguments: Self.answers)
    func classified(_ answer: Answer) throws {
        let failure = AnswerClassification.failure(
            status: answer.status,
            code: answer.code,
            message: "m",
            retryAfter: .seconds(2)
        )
        #expect(failure.outcome == answer.outcome)
        #expect(failure.httpStatus == answer.status)
        #expect(failure.errorCode == answer.code ?? "koobatch.http.\(answer.status)")
        #expect(failure.message == "m")
        #expect(failure.retryAfter == .seconds(2))
        let action = ErrorPolicies(Self.policies).action(code: failure.errorCode, httpStatus: failure.httpStatus)
        #expect(action == answer.action)
    }

    @Test("has a sentence for an answer without a message")
    func withoutMessage() {
        let failure = AnswerClassification.failure(status: 502, code: nil, message: nil, retryAfter: nil)
        #expect(failure.message == "HTTP status 502")
        #expect(failure.retryAfter == nil)
    }

    @Test("follows an edited policy, and the status where there is none")
    func editedPolicies() {
        let policies = ErrorPolicies(["KOOPHONE.API.9999": .fail])
        #expect(policies.action(code: "KOOPHONE.API.9999", httpStatus: 500) == .fail)
        #expect(policies.action(code: "KOOPHONE.API.9998", httpStatus: 500) == .retry)
        #expect(policies.action(code: "KOOPHONE.API.9998", httpStatus: nil) == .retry)
    }

    /// The rows of `error_policies`, which a test of the schema holds against this table.
    static let policies: [String: ErrorAction] = [
        "KOOPHONE.API.0000": .stop, "KOOPHONE.API.0001": .stop, "KOOPHONE.API.0002": .stop, "KOOPHONE.API.0004": .stop,
        "KOOPHONE.API.0005": .stop, "KOOPHONE.API.1000": .split, "KOOPHONE.API.1001": .split,
        "KOOPHONE.API.1002": .split, "KOOPHONE.API.1004": .stop, "KOOPHONE.API.1012": .split,
        "KOOPHONE.API.1323": .fail, "KOOPHONE.API.2004": .split, "KOOPHONE.API.2005": .isolate,
        "KOOPHONE.API.2006": .isolate, "KOOPHONE.API.9999": .retry, "APIGW.0101": .stop, "APIGW.0201": .fail,
        "APIGW.0301": .authenticate, "APIG.0301": .authenticate, "APIGW.0308": .retry, "APIG.0308": .retry,
    ]
}
