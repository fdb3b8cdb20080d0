/// What came back for a request that was sent, as far as it tells what the request did.
///
/// The one table of what a status means stands in this file; nothing else asks about a status.
public struct AnswerEvidence: Hashable, Sendable {
    /// The API's documented error body: a JSON object with an `error_code` other than `"0"` and without result data.
    public struct Verdict: Hashable, Sendable {
        /// `error_code`, such as `KOOPHONE.API.1000`.
        public let code: String
        /// `error_msg`, if there is one.
        public let message: String?

        /// Creates a verdict.
        public init(code: String, message: String?) {
            self.code = code
            self.message = message
        }

        /// Whether the code looks like those that are documented: a letter first, a dot, and no white space.
        ///
        /// `KOOPHONE.API.nnnn`, `common.nnn` and `APIGW.nnnn` do; `"00000"`, `"OK"` and `"0 "` do not.
        var hasDocumentedForm: Bool {
            guard let first = code.utf8.first, code.utf8.contains(UInt8(ascii: ".")) else { return false }
            return (first | 0x20) >= UInt8(ascii: "a") && (first | 0x20) <= UInt8(ascii: "z")
                && !code.utf8.contains(UInt8(ascii: " "))
        }
    }

    /// The status of the answer, 100 to 999.
    public let status: Int
    /// The API's own error body; `nil` for any other body, such as the page of a proxy, gateway or firewall.
    public let verdict: Verdict?
    /// How long the answer asked to wait, from `Retry-After`.
    public let retryAfter: Duration?

    /// Creates evidence of a whole answer.
    public init(status: Int, verdict: Verdict?, retryAfter: Duration?) {
        self.status = status
        self.verdict = verdict
        self.retryAfter = retryAfter
    }
}

extension AnswerEvidence {
    /// The failure that the answer is, for an answer that accepts nothing.
    ///
    /// Only the API's own verdict says anything about an instance, the command or the credentials, and only outside 5xx. A
    /// page of somebody else is the endpoint's fault.
    public var failure: ServiceFailure {
        let (outcome, fault) = meaning
        return ServiceFailure(
            outcome,
            httpStatus: status,
            errorCode: verdict?.code ?? Self.code(ofStatus: status),
            message: verdict.map { $0.message ?? "HTTP status \(status)" } ?? pageMessage,
            retryAfter: retryAfter,
            endpointFault: fault
        )
    }

    private var meaning: (ServiceFailure.Outcome, EndpointFault) {
        if let verdict, APICode.throttled.contains(verdict.code), !(300..<400).contains(status), status < 600 {
            return (.throttled, .none)
        }
        switch (status, verdict) {
        case (200..<300, let verdict?):
            // A code of no known form beside a status of success may be another way to say "accepted".
            return verdict.hasDocumentedForm ? (.refused, .none) : (.unknown, .suspected)
        case (401, let verdict?):
            return (verdict.code == APICode.noPermissionForInstance ? .refused : .unauthenticated, .none)
        case (429, _):
            return (.throttled, .none)
        case (401, nil):
            return (.unauthenticated, .none)
        case (400..<500, let verdict?):
            return (APICode.badCredentials.contains(verdict.code) ? .unauthenticated : .refused, .none)
        // A time-out, a conflict and a connection that the client is said to have closed may follow the act.
        case (408, nil), (409, nil), (499, nil):
            return (.unknown, .certain)
        case (400..<500, nil):
            return (.refused, .certain)
        // "Temporarily unable to handle the request": RFC 9110, section 15.6.4.
        case (503, _) where retryAfter != nil:
            return (.refused, .suspected)
        case (500..<600, _), (200..<300, nil):
            return (.unknown, .suspected)
        // A redirect is not followed, and whoever sent it may have acted first. Of 1xx and from 600 on nobody has said
        // what they mean.
        default:
            return (.unknown, .certain)
        }
    }

    /// Whether an answer of the status accepts, where its body does.
    public static func mayAccept(status: Int) -> Bool { (200..<300).contains(status) }

    /// Whether the API itself gives answers of the status: it documents some of success and of refusal.
    public static func mayBeOfAPI(status: Int) -> Bool { mayAccept(status: status) || (400..<500).contains(status) }

    /// Whether an answer of the status asks to be followed to another address.
    public static func isRedirect(status: Int) -> Bool { (300..<400).contains(status) }

    private var pageMessage: String {
        Self.isRedirect(status: status)
            ? "HTTP status \(status), a redirect, which is never followed; set koophone.endpoint to the address of the API itself"
            : "HTTP status \(status) without the API's error body: the answer is of a proxy, gateway or firewall;"
                + " check koophone.endpoint and what is between"
    }

    private static func code(ofStatus status: Int) -> String {
        isRedirect(status: status) ? ServiceFailure.Code.redirect : "\(ServiceFailure.Code.http).\(status)"
    }
}

extension ErrorAction {
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

/// Whether a failure is the endpoint's as a whole rather than that of what was asked.
public enum EndpointFault: String, Hashable, Sendable {
    /// It is not.
    case none
    /// It may be: a few of these in a row open the circuit.
    case suspected
    /// It is: no other request would be answered by the API, so that the circuit opens at once.
    case certain
}
