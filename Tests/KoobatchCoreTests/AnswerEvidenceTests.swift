import TestSupport
import Testing

@testable import KoobatchCore

/// What an answer proves about its request: every status, with and without the API's error body, and every documented code.
@Suite("Answer evidence")
struct AnswerEvidenceTests {
    typealias Outcome = ServiceFailure.Outcome

    /// What must be said of an answer.
    struct Meaning: Hashable, Sendable, CustomTestStringConvertible {
        let outcome: Outcome
        let fault: EndpointFault

        var testDescription: String { "\(outcome), endpoint fault: \(fault)" }
    }

    /// Statuses of pages, which is what has no error body of the API, in ranges that cover 100 to 599.
    static let pages: [(ClosedRange<Int>, Outcome, EndpointFault)] = [
        (100...199, .unknown, .certain), (200...299, .unknown, .suspected), (300...399, .unknown, .certain),
        (400...400, .refused, .certain), (401...401, .unauthenticated, .none), (402...407, .refused, .certain),
        (408...409, .unknown, .certain), (410...428, .refused, .certain), (429...429, .throttled, .none),
        (430...498, .refused, .certain), (499...499, .unknown, .certain), (500...599, .unknown, .suspected),
        (600...999, .unknown, .certain),
    ]

    /// The same for answers with the API's error body and a code that is in no list.
    static let verdicts: [(ClosedRange<Int>, Outcome, EndpointFault)] = [
        (100...199, .unknown, .certain), (200...299, .refused, .none), (300...399, .unknown, .certain),
        (400...400, .refused, .none), (401...401, .unauthenticated, .none), (402...428, .refused, .none),
        (429...429, .throttled, .none), (430...499, .refused, .none), (500...599, .unknown, .suspected),
        (600...999, .unknown, .certain),
    ]

    @Test("of a page says nothing about an instance: it is the endpoint's", arguments: 100...999)
    func page(status: Int) throws {
        let row = try #require(Self.pages.first { $0.0.contains(status) })
        let failure = AnswerEvidence(status: status, verdict: nil, retryAfter: nil).failure
        #expect(
            Meaning(outcome: failure.outcome, fault: failure.endpointFault) == Meaning(outcome: row.1, fault: row.2)
        )
        #expect(failure.errorCode == ((300..<400).contains(status) ? "koobatch.redirect" : "koobatch.http.\(status)"))
        #expect(failure.message.contains("\(status)"))
    }

    @Test("of the API's error body is its verdict, outside 5xx", arguments: 100...999)
    func verdict(status: Int) throws {
        let row = try #require(Self.verdicts.first { $0.0.contains(status) })
        let failure = AnswerEvidence(
            status: status,
            verdict: .init(code: "KOOPHONE.API.7777", message: "m"),
            retryAfter: nil
        ).failure
        #expect(
            Meaning(outcome: failure.outcome, fault: failure.endpointFault) == Meaning(outcome: row.1, fault: row.2)
        )
        #expect(failure.errorCode == "KOOPHONE.API.7777" && failure.message == "m" && failure.httpStatus == status)
    }

    /// Statuses that the API answers with, that accept, and that redirect.
    @Test("of a status is the API's own, an acceptance or a redirect as far as the status tells", arguments: 100...999)
    func status(_ status: Int) {
        #expect(AnswerEvidence.mayAccept(status: status) == (status / 100 == 2))
        #expect(AnswerEvidence.mayBeOfAPI(status: status) == [2, 4].contains(status / 100))
        #expect(AnswerEvidence.isRedirect(status: status) == (status / 100 == 3))
    }

    /// What is done about a code that no row of the policies names.
    static let unlisted: [(ClosedRange<Int>, ErrorAction, ofService: ErrorAction)] = [
        (100...299, .split, .split), (300...399, .unknown, .unknown), (400...400, .split, .split),
        (401...401, .authenticate, .authenticate), (402...402, .split, .split), (403...404, .stop, .split),
        (405...407, .split, .split), (408...408, .retry, .retry), (409...412, .split, .split),
        (413...413, .fail, .fail),
        (414...428, .split, .split), (429...429, .retry, .retry), (430...499, .split, .split),
        (500...502, .unknown, .unknown), (503...503, .retry, .retry), (504...999, .unknown, .unknown),
    ]

    @Test("of a code that is in no list is handled by its status", arguments: 100...999)
    func unlisted(status: Int) throws {
        let row = try #require(Self.unlisted.first { $0.0.contains(status) })
        let policies = ErrorPolicies([:])
        #expect(policies.action(code: "APIGW.7777", httpStatus: status) == row.1)
        for code in ["KOOPHONE.API.7777", "common.7777"] {
            #expect(policies.action(code: code, httpStatus: status) == row.ofService)
        }
    }

    @Test("with Retry-After says \"not now\" on 503 alone of 5xx", arguments: 500...599, [true, false])
    func retryAfter(status: Int, hasVerdict: Bool) {
        let failure = AnswerEvidence(
            status: status,
            verdict: hasVerdict ? .init(code: "KOOPHONE.API.7777", message: nil) : nil,
            retryAfter: .seconds(2)
        ).failure
        #expect(failure.outcome == (status == 503 ? .refused : .unknown))
        #expect(failure.endpointFault == .suspected)
        #expect(failure.retryAfter == .seconds(2))
    }

    @Test("with the gateway's throttling code did not act", arguments: ["APIGW.0308", "APIG.0308"], 100...999)
    func throttlingCode(code: String, status: Int) {
        let failure = AnswerEvidence(status: status, verdict: .init(code: code, message: nil), retryAfter: nil).failure
        let isUndocumented = (300..<400).contains(status) || status >= 600
        #expect(failure.outcome == (isUndocumented ? .unknown : .throttled))
    }

    @Test(
        "of success with a code of no documented form may be an acceptance",
        arguments: ["00000", "success", "OK", "0 ", "1000", "A B.1", ".x"]
    )
    func oddCode(code: String) {
        let failure = AnswerEvidence(status: 200, verdict: .init(code: code, message: nil), retryAfter: nil).failure
        #expect(failure.outcome == .unknown)
    }

    struct Answer: Sendable, CustomTestStringConvertible {
        let status: Int
        let code: String?
        let outcome: Outcome
        let action: ErrorAction

        var testDescription: String { "\(status) \(code ?? "without a code")" }

        init(_ status: Int, _ code: String?, _ outcome: Outcome, _ action: ErrorAction) {
            self.status = status
            self.code = code
            self.outcome = outcome
            self.action = action
        }
    }

    /// What every documented answer means once the seeded policies are applied.
    static let documented: [Answer] = [
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
        Answer(500, "KOOPHONE.API.9999", .unknown, .unknown),
        Answer(200, "KOOPHONE.API.9999", .unknown, .unknown),
        Answer(400, "KOOPHONE.API.9999", .unknown, .unknown),
        Answer(401, "APIGW.0301", .unauthenticated, .authenticate),
        Answer(401, "APIG.0301", .unauthenticated, .authenticate),
        Answer(401, "APIGW.9999", .unauthenticated, .authenticate),
        Answer(401, nil, .unauthenticated, .authenticate),
        Answer(403, "APIGW.0301", .unauthenticated, .authenticate),
        Answer(400, "APIG.0301", .unauthenticated, .authenticate),
        Answer(200, "APIG.0301", .unauthenticated, .authenticate),
        Answer(429, "APIGW.0308", .throttled, .retry),
        Answer(429, "APIG.0308", .throttled, .retry),
        Answer(200, "APIGW.0308", .throttled, .retry),
        Answer(503, "APIGW.0308", .throttled, .retry),
        Answer(403, "APIGW.0302", .refused, .stop),
        Answer(403, "APIGW.0303", .refused, .stop),
        Answer(404, "APIGW.0101", .refused, .stop),
        Answer(413, "APIGW.0201", .refused, .fail),
        Answer(502, "APIGW.0202", .unknown, .unknown),
        Answer(504, "APIGW.0203", .unknown, .unknown),
        // Not documented: the fault may be one instance's.
        Answer(400, "common.00000400", .refused, .split),
        Answer(200, "KOOPHONE.API.7777", .refused, .split),
        Answer(408, "KOOPHONE.API.7777", .refused, .retry),
        Answer(403, "KOOPHONE.API.7777", .refused, .split),
        Answer(404, "common.00000404", .refused, .split),
    ]

    @Test("of every documented code, and what is done about it", arguments: Self.documented)
    func classified(_ answer: Answer) throws {
        let policies = ErrorPolicies(Self.policies)
        let failure = AnswerEvidence(
            status: answer.status,
            verdict: answer.code.map { .init(code: $0, message: "m") },
            retryAfter: .seconds(2)
        ).failure.applying(policies)
        #expect(failure.outcome == answer.outcome)
        #expect(failure.httpStatus == answer.status)
        #expect(failure.errorCode == answer.code ?? "koobatch.http.\(answer.status)")
        #expect(failure.retryAfter == .seconds(2))
        #expect(policies.action(code: failure.errorCode, httpStatus: failure.httpStatus) == answer.action)
    }

    @Test("has a sentence for an answer without a message")
    func withoutMessage() {
        let failure = AnswerEvidence(status: 400, verdict: .init(code: "C.1", message: nil), retryAfter: nil).failure
        #expect(failure.message == "HTTP status 400")
        let page = AnswerEvidence(status: 502, verdict: nil, retryAfter: nil).failure
        #expect(page.message.hasPrefix("HTTP status 502 without the API's error body"))
        #expect(page.retryAfter == nil)
    }

    @Test("follows an edited policy, and the status where there is none")
    func editedPolicies() {
        let policies = ErrorPolicies(["KOOPHONE.API.9999": .fail])
        #expect(policies.action(code: "KOOPHONE.API.9999", httpStatus: 400) == .fail)
        #expect(policies.action(code: "KOOPHONE.API.9998", httpStatus: 500) == .unknown)
        #expect(policies.action(code: "KOOPHONE.API.9998", httpStatus: nil) == .retry)
    }

    /// The rows of `error_policies`, which a test of the schema holds against this table.
    static let policies: [String: ErrorAction] = [
        "KOOPHONE.API.0000": .stop, "KOOPHONE.API.0001": .stop, "KOOPHONE.API.0002": .stop, "KOOPHONE.API.0004": .stop,
        "KOOPHONE.API.0005": .stop, "KOOPHONE.API.1000": .split, "KOOPHONE.API.1001": .split,
        "KOOPHONE.API.1002": .split, "KOOPHONE.API.1004": .stop, "KOOPHONE.API.1012": .split,
        "KOOPHONE.API.1323": .fail, "KOOPHONE.API.2004": .split, "KOOPHONE.API.2005": .isolate,
        "KOOPHONE.API.2006": .isolate, "KOOPHONE.API.9999": .unknown, "APIGW.0101": .stop, "APIGW.0201": .fail,
        "APIGW.0301": .authenticate, "APIG.0301": .authenticate, "APIGW.0308": .retry, "APIG.0308": .retry,
    ]
}
