import Testing

@testable import KoobatchCore

/// What the error policies make of an answer, and whether it concerns every request.
@Suite("A failure with the error policies applied")
struct AppliedPoliciesTests {
    typealias Outcome = ServiceFailure.Outcome

    @Test(
        "goes by the row of its code before it goes by its status",
        arguments: [
            (403, .refused, .authenticate, .unauthenticated), (400, .refused, .authenticate, .unauthenticated),
            (401, .unauthenticated, .authenticate, .unauthenticated), (401, .unauthenticated, .split, .refused),
            (401, .unauthenticated, .retry, .refused), (401, .unauthenticated, .stop, .refused),
            (429, .throttled, .retry, .throttled), (429, .throttled, .split, .refused),
            (429, .throttled, .authenticate, .unauthenticated), (400, .refused, .fail, .refused),
            (502, .unknown, .split, .unknown), (502, .unknown, .authenticate, .unknown),
            (400, .refused, .unknown, .unknown),
            (401, .unauthenticated, .unknown, .unknown), (429, .throttled, .unknown, .unknown),
            (502, .unknown, .retry, .unknown),
        ] as [(Int, Outcome, ErrorAction, Outcome)]
    )
    func listed(_ status: Int, _ outcome: Outcome, _ action: ErrorAction, _ classified: Outcome) {
        let failure = ServiceFailure(
            outcome,
            httpStatus: status,
            errorCode: "C",
            message: "m",
            retryAfter: .seconds(3)
        )
        let result = failure.applying(ErrorPolicies(["C": action]))
        #expect(result.outcome == classified)
        #expect(result.httpStatus == status && result.errorCode == "C" && result.message == "m")
        #expect(result.retryAfter == .seconds(3))
        #expect(failure.applying(ErrorPolicies(["D": action])) == failure)
    }

    @Test("without an answer is what it is", arguments: Outcome.allCases)
    func withoutAnswer(_ outcome: Outcome) {
        let failure = ServiceFailure(outcome, errorCode: "C", message: "m")
        #expect(failure.applying(ErrorPolicies(["C": .stop])) == failure)
    }

    @Test(
        "affects all requests where nothing can succeed",
        arguments: [
            ("C", 200, true, true), ("APIGW.0302", 403, true, false), ("APIGW.0199", 404, true, false),
            ("KOOPHONE.API.7777", 403, false, false), ("common.00000404", 404, false, false),
            ("S", 400, false, false),
        ]
    )
    func everything(_ code: String, _ status: Int, _ ofSubmission: Bool, _ ofQuery: Bool) {
        let policies = ErrorPolicies(["C": .stop, "S": .split])
        let failure = ServiceFailure(.refused, httpStatus: status, errorCode: code, message: "m")
        #expect(failure.affectsAllRequests(policies) == ofSubmission)
        #expect(failure.affectsAllRequests(policies, isQuery: true) == ofQuery)
    }

    @Test("of the endpoint affects all requests in its own way, unless a row has its code")
    func endpoint() {
        let page = ServiceFailure(.refused, httpStatus: 403, errorCode: "P", message: "m", endpointFault: .certain)
        #expect(!page.affectsAllRequests(ErrorPolicies([:])))
        #expect(page.applying(ErrorPolicies([:])) == page)
        let listed = page.applying(ErrorPolicies(["P": .stop]))
        #expect(listed.endpointFault == .none)
        #expect(listed.affectsAllRequests(ErrorPolicies(["P": .stop])))
    }
}
