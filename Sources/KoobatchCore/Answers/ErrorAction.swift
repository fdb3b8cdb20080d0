/// What to do about an error code of the API; the raw values are those of `error_policies.action`.
public enum ErrorAction: String, Hashable, Sendable, CaseIterable {
    /// Try the chunk again later.
    case retry
    /// Fail the chunk.
    case fail
    /// Bisect the chunk; an instance refused alone is rejected.
    case split
    /// Bisect likewise; an instance refused alone is tried again.
    case isolate
    /// Renew the credentials, then try again.
    case authenticate
    /// Nothing can succeed: pause all requests and probe.
    case stop
    /// The request may have been acted on: the job's `on_unknown` decides.
    case unknown
}

/// The error policies in force: code to action, as the table `error_policies` has them.
public struct ErrorPolicies: Hashable, Sendable {
    private let actions: [String: ErrorAction]

    /// Creates policies from the rows of the table.
    public init(_ actions: [String: ErrorAction]) {
        self.actions = actions
    }

    /// The action for an answer with this code and status.
    public func action(code: String, httpStatus: Int?) -> ErrorAction {
        actions[code] ?? .fallback(code: code, httpStatus: httpStatus)
    }

    /// The action that the table has for a code; `nil` if it has none.
    public func listed(_ code: String) -> ErrorAction? { actions[code] }
}
