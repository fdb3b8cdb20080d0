extension ServiceFailure {
    /// The failure as the error policies have it: what a row of the table says of a code counts for more than what the
    /// status of the answer says.
    ///
    /// A code whose action is `authenticate` means refused credentials whatever its status; one that is to be split,
    /// failed, held or tried again does not, and neither is it throttled unless it is to be tried again.
    public func judged(by policies: ErrorPolicies) -> ServiceFailure {
        guard httpStatus != nil, outcome != .unknown, outcome != .notSent, let action = policies.listed(errorCode)
        else {
            return self
        }
        let judged: Outcome =
            switch action {
            case .authenticate: .unauthenticated
            case .retry: outcome == .unauthenticated ? .refused : outcome
            case .split, .isolate, .fail, .stop: .refused
            case .unknown: .unknown
            }
        guard judged != outcome else { return self }
        return ServiceFailure(
            judged,
            httpStatus: httpStatus,
            errorCode: errorCode,
            message: message,
            retryAfter: retryAfter
        )
    }

    /// Whether no other request would escape the refusal, so that all of them have to wait.
    ///
    /// - Parameter isQuery: whether it is of a query, whose 403 or 404 may speak of its task alone: only a row of the
    ///   policies says more.
    public func concernsEverything(_ policies: ErrorPolicies, isQuery: Bool = false) -> Bool {
        guard outcome == .refused, !isOfEndpoint else { return false }
        if isQuery, policies.listed(errorCode) == nil { return errorCode == Code.redirect }
        return policies.action(code: errorCode, httpStatus: httpStatus) == .stop
    }
}
