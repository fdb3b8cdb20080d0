extension ServiceFailure {
    /// The failure after the error policies are applied: what a row of the table says of the API's code counts for more than
    /// what the status of the answer says.
    ///
    /// A code whose action is `authenticate` means refused credentials whatever its status; one with `unknown` may have acted;
    /// one that is to be split, failed or tried again is neither, and it is not throttled unless it is to be tried again. What
    /// may have acted already stays so: no row makes a repetition harmless. What is the endpoint's fault stays so unless the
    /// table has a row for its code.
    public func applying(_ policies: ErrorPolicies) -> ServiceFailure {
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
    public func affectsAllRequests(_ policies: ErrorPolicies, isQuery: Bool = false) -> Bool {
        guard outcome == .refused, !isOfEndpoint else { return false }
        if isQuery, policies.listed(errorCode) == nil { return false }
        return policies.action(code: errorCode, httpStatus: httpStatus) == .stop
    }
}
