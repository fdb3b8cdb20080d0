/// Finds out with few requests whether the API takes a job's command at all.
///
/// A refusal may be the fault of an instance or of the command. Until a chunk of a job is accepted only a few of its chunks
/// are in flight; the first that is refused is split alone, and when every instance of it was refused with one code, single
/// instances from all over the list are tried. If all of them are refused with that code too, the command is the cause: not
/// many more than one chunk's worth of requests have told so. A list that begins with chunks of bad instances passes all the
/// same, and so does one with a bad instance in every chunk.
public enum CommandTrial: String, Hashable, Sendable, CaseIterable {
    /// No chunk was accepted or refused yet.
    case starting
    /// The first refused chunk is being split.
    case dividing
    /// Single instances from elsewhere are tried.
    case sampling
    /// The API takes the command, or its refusals differ.
    case passed
    /// The API refuses the command; the rest is rejected without being sent.
    case refused

    /// The most chunks in flight before one is accepted.
    public static let chunksBeforeAcceptance = 4
    /// Single instances from elsewhere that must have been refused with the code, at least.
    private static let leastSamples = 4
    /// Instances that must have been refused with the code, those of the divided chunk included.
    private static let leastRefusals = 36

    /// Codes that the API documents as the fault of an instance: however many of them there are, they say nothing of the
    /// command.
    private static let instanceCodes: Set<String> = [
        "KOOPHONE.API.1001", "KOOPHONE.API.1002", "KOOPHONE.API.1012", "KOOPHONE.API.2004", "KOOPHONE.API.2005",
        "KOOPHONE.API.2006",
    ]

    /// How many single instances to try after a chunk of this size was refused instance by instance.
    public static func samples(afterDividing size: Int) -> Int {
        max(leastSamples, leastRefusals - size)
    }

    /// What is known of a job when one more of its requests was not accepted.
    public struct Evidence: Hashable, Sendable {
        /// The code that every instance of the divided chunk was rejected with; `nil` if they differ or some are not.
        public let code: String?
        /// Parts of the divided chunk, and samples, that have no end yet.
        public let open: Int
        /// Single instances from elsewhere that were tried, or are to be.
        public let samples: Int
        /// Those of them that were rejected with `code`.
        public let refusedSamples: Int
        /// Chunks that are still to be sent, without the samples.
        public let unsent: Int
        /// Chunks in flight.
        public let inFlight: Int
        /// Whether the rest of the job waits for its canary, which then decides.
        public let isCanary: Bool

        var canBeSampled: Bool { unsent > 0 && !isCanary }

        /// Creates evidence.
        public init(
            code: String?,
            open: Int,
            samples: Int,
            refusedSamples: Int,
            unsent: Int,
            inFlight: Int,
            isCanary: Bool
        ) {
            self.code = code
            self.open = open
            self.samples = samples
            self.refusedSamples = refusedSamples
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
        case (_, .split) where Self.instanceCodes.contains(failure.errorCode): .passed
        case (_, .fail(.rejected)) where Self.instanceCodes.contains(failure.errorCode): .passed
        case (.starting, .split): .dividing
        // A chunk of one instance, which needs no dividing.
        case (.starting, .fail(.rejected)): try evidence().canBeSampled ? .sampling : .passed
        case (.starting, _): .starting
        // The API, not the command: nothing is learned, and the chunk goes again.
        case (_, .retry) where failure.outcome != .refused: self
        case (_, .split), (_, .fail(.rejected)): judge(try evidence(), failure.errorCode)
        case (.dividing, _), (.sampling, _): .passed
        }
    }

    private func judge(_ evidence: Evidence, _ code: String) -> CommandTrial {
        if evidence.open > 0 { return self }
        guard evidence.code == code, !evidence.isCanary, evidence.refusedSamples == evidence.samples else {
            return .passed
        }
        // Samples are taken from what is unsent: where there is any, they come first.
        if self == .dividing, evidence.canBeSampled { return .sampling }
        return evidence.inFlight == 0 ? .refused : self
    }
}
