/// Finds out with few requests whether the API takes a job's command at all.
///
/// A refusal may be the fault of an instance or of the command. Until a chunk of a job is accepted only a few of its chunks
/// are in flight; the first that is refused is split alone, and when every instance of it was refused with one code, a few
/// chunks from the other end of the list are tried. If all of them are refused with that code, the command is the cause:
/// about one chunk's worth of requests has told so. A list that begins with a chunk of frozen phones passes all the same.
public enum CommandTrial: String, Hashable, Sendable, CaseIterable {
    /// No chunk was accepted or refused yet.
    case starting
    /// The first refused chunk is being split.
    case dividing
    /// Chunks from elsewhere are tried.
    case sampling
    /// The API takes the command, or its refusals differ.
    case passed
    /// The API refuses the command; the rest is rejected without being sent.
    case refused

    /// The most chunks in flight before one is accepted.
    public static let chunksBeforeAcceptance = 4
    /// Chunks that must have been refused with the code, the divided one included; fewer for a job with fewer.
    public static let sample = 7

    /// What is known of a job's chunks when one more has an outcome.
    public struct Evidence: Hashable, Sendable {
        /// The code that every instance of the divided chunk was rejected with; `nil` if they differ or some are not.
        public let code: String?
        /// Parts of the divided chunk that have no end yet.
        public let openParts: Int
        /// Chunks, as they were planned, that were refused with `code`.
        public let refused: Int
        /// Chunks as they were planned, counted up to `sample`.
        public let chunks: Int
        /// Chunks, as they were planned, that are still to be sent, counted up to `sample`.
        public let unsent: Int
        /// Chunks in flight.
        public let inFlight: Int
        /// Whether the rest of the job waits for its canary, which then decides.
        public let isCanary: Bool

        /// Creates evidence.
        public init(
            code: String?,
            openParts: Int,
            refused: Int,
            chunks: Int,
            unsent: Int,
            inFlight: Int,
            isCanary: Bool
        ) {
            self.code = code
            self.openParts = openParts
            self.refused = refused
            self.chunks = chunks
            self.unsent = unsent
            self.inFlight = inFlight
            self.isCanary = isCanary
        }
    }

    /// The trial after a chunk of the job was not accepted.
    ///
    /// - Parameters:
    ///   - failure: what came of its request.
    ///   - decision: what becomes of the chunk.
    ///   - evidence: what is known then; asked for only where it matters.
    public func next(
        after failure: ServiceFailure,
        _ decision: SubmissionDecision,
        evidence: () throws -> Evidence
    ) rethrows -> CommandTrial {
        switch (self, decision) {
        case (.passed, _), (.refused, _): self
        case (.starting, .split): .dividing
        case (.starting, _): .starting
        // The API, not the command: nothing is learned, and the chunk goes again.
        case (_, .retry) where failure.outcome != .refused: self
        case (_, .split), (_, .fail(.rejected)): judge(try evidence(), failure.errorCode)
        case (.dividing, _), (.sampling, _): .passed
        }
    }

    private func judge(_ evidence: Evidence, _ code: String) -> CommandTrial {
        if evidence.openParts > 0 { return self }
        guard evidence.code == code, !evidence.isCanary else { return .passed }
        let enough = min(Self.sample, evidence.chunks)
        if evidence.refused >= enough { return evidence.inFlight == 0 ? .refused : .sampling }
        return evidence.unsent + evidence.inFlight > 0 ? .sampling : .passed
    }
}
