/// A failure whose meaning is decided: the error policies are applied, once, for the request gate and for the record alike.
public struct ClassifiedFailure: Hashable, Sendable {
    /// The failure; its outcome is what the policies say.
    public let failure: ServiceFailure
    /// What to do about it.
    public let action: ErrorAction
    /// Whether no other request would escape it, so that all of them have to wait.
    public let affectsAllRequests: Bool

    /// Creates a failure whose meaning is known.
    public init(_ failure: ServiceFailure, action: ErrorAction, affectsAllRequests: Bool = false) {
        self.failure = failure
        self.action = action
        self.affectsAllRequests = affectsAllRequests
    }

    /// Applies the error policies to a failure.
    ///
    /// - Parameter isQuery: whether it is of a query.
    public init(_ failure: ServiceFailure, policies: ErrorPolicies, isQuery: Bool = false) {
        let applied = failure.applying(policies)
        self.init(
            applied,
            action: policies.action(code: applied.errorCode, httpStatus: applied.httpStatus),
            affectsAllRequests: applied.affectsAllRequests(policies, isQuery: isQuery)
        )
    }
}

/// What came of a request.
public protocol RequestAnswer: Sendable {
    /// Whether it asked for results.
    static var isQuery: Bool { get }
    /// The failure, if it is one.
    var failure: ServiceFailure? { get }
    /// The same answer with another failure.
    func failing(_ failure: ServiceFailure) -> Self
}

/// An answer whose failure, if it is one, is classified.
public struct Classified<Answer: RequestAnswer>: Sendable {
    /// The answer, with its failure as the policies have it.
    public let answer: Answer
    /// What its failure means.
    public let failure: ClassifiedFailure?

    /// Applies the error policies to an answer.
    public init(_ answer: Answer, policies: ErrorPolicies) {
        failure = answer.failure.map { ClassifiedFailure($0, policies: policies, isQuery: Answer.isQuery) }
        self.answer = failure.map { answer.failing($0.failure) } ?? answer
    }
}

extension ServiceFailure {
    /// The failure after the error policies are applied: what a row of the table says of the API's code counts for more than
    /// what the status of the answer says.
    ///
    /// A code whose action is `authenticate` means refused credentials whatever its status; one with `unknown` may have acted;
    /// one that is to be split, failed or tried again is neither, and it is not throttled unless it is to be tried again. What
    /// may have acted already stays so: no row makes a repetition harmless. What is the endpoint's fault stays so unless the
    /// table has a row for its code.
    func applying(_ policies: ErrorPolicies) -> ServiceFailure {
        guard httpStatus != nil, outcome != .unknown, outcome != .notSent, let action = policies.listed(errorCode)
        else {
            return self
        }
        let applied: Outcome =
            switch action {
            case .authenticate: .unauthenticated
            case .unknown: .unknown
            case .retry: outcome == .unauthenticated ? .refused : outcome
            case .split, .isolate, .fail, .stop: .refused
            }
        return with(outcome: applied, endpointFault: EndpointFault.none)
    }

    /// Whether no other request would escape the refusal, so that all of them have to wait.
    ///
    /// - Parameter isQuery: whether it is of a query, whose 403 or 404 may speak of its task alone: only a row of the
    ///   policies says more.
    func affectsAllRequests(_ policies: ErrorPolicies, isQuery: Bool = false) -> Bool {
        guard outcome == .refused, !isOfEndpoint else { return false }
        if isQuery, policies.listed(errorCode) == nil { return false }
        return policies.action(code: errorCode, httpStatus: httpStatus) == .stop
    }
}
