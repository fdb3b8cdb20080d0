import KoobatchCore
import Testing

@Suite("A classified answer")
struct ClassifiedFailureTests {
    private struct Answer<Kind>: RequestAnswer {
        static var isQuery: Bool { Kind.self == Query.self }
        let failure: ServiceFailure?
        func failing(_ failure: ServiceFailure) -> Answer { Answer(failure: failure) }
    }

    private enum Query {}
    private enum Submission {}

    private static let policies = ErrorPolicies(["LOGIN": .authenticate, "STOP": .stop])

    private static func failure(_ code: String, _ status: Int) -> ServiceFailure {
        ServiceFailure(.refused, httpStatus: status, errorCode: code, message: "m")
    }

    @Test("has the outcome and the action of the policies, and all that follows for others")
    func policies() throws {
        let login = Classified(Answer<Submission>(failure: Self.failure("LOGIN", 403)), policies: Self.policies)
        #expect(login.failure?.failure.outcome == .unauthenticated && login.failure?.action == .authenticate)
        #expect(login.answer.failure == login.failure?.failure, "the record says what the gate was told")
        let stop = Classified(Answer<Submission>(failure: Self.failure("STOP", 400)), policies: Self.policies)
        #expect(stop.failure?.affectsAllRequests == true && stop.failure?.action == .stop)
    }

    @Test("of a query speaks of all requests only where the table says so")
    func query() {
        func affectsAll<Kind>(_: Kind.Type, _ code: String, _ status: Int) -> Bool? {
            Classified(Answer<Kind>(failure: Self.failure(code, status)), policies: Self.policies).failure?
                .affectsAllRequests
        }
        #expect(affectsAll(Submission.self, "APIGW.0302", 403) == true)
        #expect(affectsAll(Query.self, "APIGW.0302", 403) == false)
        #expect(affectsAll(Query.self, "STOP", 400) == true)
    }

    @Test("that is no failure stays as it is")
    func accepted() {
        let answer = Classified(Answer<Submission>(failure: nil), policies: Self.policies)
        #expect(answer.failure == nil && answer.answer.failure == nil)
    }

    @Test("is the same when it is classified again", arguments: ErrorAction.allCases, ServiceFailure.Outcome.allCases)
    func idempotent(_ action: ErrorAction, _ outcome: ServiceFailure.Outcome) {
        let policies = ErrorPolicies(["C": action])
        let failure = ServiceFailure(outcome, httpStatus: 400, errorCode: "C", message: "m", endpointFault: .suspected)
        let once = ClassifiedFailure(failure, policies: policies)
        #expect(ClassifiedFailure(once.failure, policies: policies) == once)
    }
}
