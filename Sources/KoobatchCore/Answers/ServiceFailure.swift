/// A request that was not accepted, classified once, where it failed.
public struct ServiceFailure: Error, Hashable, Sendable {
    /// What is known of the request; the raw values are those of `attempts.outcome`.
    public enum Outcome: String, Hashable, Sendable, CaseIterable {
        /// The API answered and did not act.
        case refused
        /// The API answered that it is asked too often, and did not act.
        case throttled
        /// The API answered that it does not accept the credentials, and did not act.
        case unauthenticated
        /// Nothing reached the API.
        case notSent = "not_sent"
        /// The request may have been acted on: its answer was lost or cannot be read.
        case unknown
    }

    /// What is known of the request.
    public let outcome: Outcome
    /// The status of the answer, if there was one.
    public let httpStatus: Int?
    /// The API's code, or one of koobatch's own, which begin with `koobatch.`.
    public let errorCode: String
    /// A sentence for people; never holds a secret.
    public let message: String
    /// How long the API asked to wait.
    public let retryAfter: Duration?
    /// Whether it is the fault of the endpoint rather than of what was asked.
    public let endpointFault: EndpointFault

    /// Creates a failure.
    ///
    /// - Parameter endpointFault: by default, a request without an answer may be the endpoint's fault and an answer is not.
    public init(
        _ outcome: Outcome,
        httpStatus: Int? = nil,
        errorCode: String,
        message: String,
        retryAfter: Duration? = nil,
        endpointFault: EndpointFault? = nil
    ) {
        self.outcome = outcome
        self.httpStatus = httpStatus
        self.errorCode = errorCode
        self.message = message
        self.retryAfter = retryAfter
        let isUnanswered = (outcome == .notSent || outcome == .unknown) && errorCode != Code.interrupted
        self.endpointFault = endpointFault ?? (isUnanswered ? .suspected : .none)
    }

    /// The same failure with another outcome, code or message.
    public func with(
        outcome: Outcome? = nil,
        errorCode: String? = nil,
        message: String? = nil,
        retryAfter: Duration? = nil,
        endpointFault: EndpointFault? = nil
    ) -> ServiceFailure {
        ServiceFailure(
            outcome ?? self.outcome,
            httpStatus: httpStatus,
            errorCode: errorCode ?? self.errorCode,
            message: message ?? self.message,
            retryAfter: retryAfter ?? self.retryAfter,
            endpointFault: endpointFault ?? self.endpointFault
        )
    }
}

extension ServiceFailure {
    /// Whether it is, or may be, the fault of the endpoint rather than of what was asked.
    public var isOfEndpoint: Bool { endpointFault != .none }

    /// Codes of koobatch's own, for failures that the API has no code for.
    public enum Code {
        /// No connection could be made.
        public static let connect = "koobatch.connect"
        /// This process had no descriptor or memory left for a connection.
        public static let resources = "koobatch.resources"
        /// The connection was lost after the request had been sent.
        public static let connectionLost = "koobatch.connection_lost"
        /// No answer came in time.
        public static let timeout = "koobatch.timeout"
        /// The answer cannot be read.
        public static let badAnswer = "koobatch.bad_answer"
        /// The answer has a content coding that was not asked for and cannot be undone.
        public static let contentCoding = "koobatch.content_coding"
        /// The answer contradicts itself or the request.
        public static let contradiction = "koobatch.contradiction"
        /// An answer without a code of the API's; the status follows after a dot.
        public static let http = "koobatch.http"
        /// The answer was a redirect, which is never followed.
        public static let redirect = "koobatch.redirect"
        /// There are no credentials to send.
        public static let credentials = "koobatch.credentials"
        /// The daemon ended before the answer was recorded.
        public static let interrupted = "koobatch.interrupted"
        /// The answer left this instance out.
        public static let notMapped = "koobatch.not_mapped"
        /// No result came in time.
        public static let resultTimeout = "koobatch.result_timeout"
    }
}

extension Result where Failure == ServiceFailure {
    /// The failure, if it is one.
    public var failure: ServiceFailure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}
