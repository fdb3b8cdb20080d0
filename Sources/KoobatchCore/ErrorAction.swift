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

    /// The action for a code that `error_policies` does not list, by the status of the answer.
    ///
    /// Without knowing the code, a refusal may be the fault of one instance, which must not fail the others: it splits.
    /// So does one that the service itself, not the gateway in front of it, gives as 403 or 404.
    public static func fallback(code: String, httpStatus: Int?) -> ErrorAction {
        switch httpStatus {
        case .some(401): .authenticate
        case .some(403), .some(404): code.hasPrefix("KOOPHONE.") || code.hasPrefix("common.") ? .split : .stop
        case .some(413): .fail
        case .some(408), .some(429), .some(503): .retry
        case .some(300..<400), .some(500...): .unknown
        case .some: .split
        case .none: .retry
        }
    }
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
