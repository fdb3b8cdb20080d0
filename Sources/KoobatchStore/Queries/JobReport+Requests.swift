extension JobReport {
    /// What came of a request, as `attempts.outcome` has it.
    public enum RequestOutcome: String, Hashable, Sendable, CaseIterable {
        /// The API took it.
        case accepted
        /// The API answered and did not act.
        case refused
        /// The API asked for less.
        case throttled
        /// The API did not accept the credentials.
        case unauthenticated
        /// Nothing reached the API.
        case notSent = "not_sent"
        /// The answer was lost.
        case unknown
        /// The answer is awaited.
        case inFlight = "in_flight"
    }

    /// Requests of which the same came.
    public struct RequestGroup: Hashable, Sendable {
        /// What came of them.
        public let outcome: RequestOutcome
        /// The status of the answers, if there were any.
        public let httpStatus: Int?
        /// The error's code.
        public let errorCode: String?
        /// The error's sentence, of one of them.
        public let message: String?
        /// How many.
        public let requests: Int
        /// How long they took on average, in seconds; `nil` while in flight.
        public let averageSeconds: Double?
        /// How long the slowest took, in seconds; `nil` while in flight.
        public let longestSeconds: Double?

        /// Creates a group.
        public init(
            outcome: RequestOutcome,
            httpStatus: Int?,
            errorCode: String?,
            message: String?,
            requests: Int,
            averageSeconds: Double?,
            longestSeconds: Double?
        ) {
            self.outcome = outcome
            self.httpStatus = httpStatus
            self.errorCode = errorCode
            self.message = message
            self.requests = requests
            self.averageSeconds = averageSeconds
            self.longestSeconds = longestSeconds
        }
    }

    /// How often chunks were sent more than once.
    public struct Repeats: Hashable, Sendable {
        /// Chunks that were sent.
        public let chunks: Int
        /// Requests beyond the first of a chunk.
        public let retries: Int
        /// Chunks that were halved.
        public let splits: Int
        /// Times that results were asked for.
        public let polls: Int

        /// Creates the counts.
        public init(chunks: Int, retries: Int, splits: Int, polls: Int) {
            self.chunks = chunks
            self.retries = retries
            self.splits = splits
            self.polls = polls
        }
    }
}
