/// What happens to a chunk once its request has an outcome.
public enum SubmissionDecision: Hashable, Sendable {
    /// Accepted: store the mapping and await results.
    case accept
    /// Pending again, due at the time. An attempt that is not charged does not count against `max_attempts`.
    case retry(at: Timestamp, charged: Bool)
    /// Held until an operator decides; its instances are `unknown`.
    case hold
    /// Given up; its instances take this state.
    case fail(instances: InstanceState)
    /// Never sent, and its job was stopped meanwhile.
    case cancel
    /// Replaced by its halves, which are due at once.
    case split
}

/// What a decision about a chunk depends on, as read in the transaction that records it.
public struct SubmissionContext: Hashable, Sendable {
    /// Instances in the chunk.
    public let size: Int
    /// Charged attempts, this one included.
    public let attempts: Int
    /// The job's bound on them.
    public let maxAttempts: Int
    /// What the job wants when an answer is lost.
    public let onUnknown: OnUnknown
    /// The state of the job now.
    public let jobState: CommandJobState

    /// Creates a context.
    public init(size: Int, attempts: Int, maxAttempts: Int, onUnknown: OnUnknown, jobState: CommandJobState) {
        self.size = size
        self.attempts = attempts
        self.maxAttempts = maxAttempts
        self.onUnknown = onUnknown
        self.jobState = jobState
    }
}

/// What a job wants when a request was sent but its answer was lost; the raw values are those of the column.
public enum OnUnknown: String, Hashable, Sendable, CaseIterable {
    /// Send it again: at least once.
    case retry
    /// Wait for an operator: at most once.
    case hold
    /// Give it up.
    case fail
}

extension SubmissionDecision {
    /// Decides about a chunk whose request failed.
    ///
    /// - Parameters:
    ///   - classified: the failure, with the error policies applied.
    ///   - context: the chunk and its job.
    ///   - isCharged: whether a retry counts against `max_attempts`; not while the endpoint as a whole fails. A request whose
    ///     answer was lost always counts: it may have been acted on, and `max_attempts` bounds how often that happens.
    ///   - backoff: delays between attempts of a chunk.
    ///   - now: the time of the decision.
    ///   - generator: for the jitter.
    public static func after(
        _ classified: ClassifiedFailure,
        context: SubmissionContext,
        isCharged: Bool = true,
        backoff: Backoff,
        now: Timestamp,
        generator: inout some RandomNumberGenerator
    ) -> SubmissionDecision {
        let failure = classified.failure
        func delay() -> Duration {
            let jittered = backoff.delay(afterFailures: context.attempts, using: &generator)
            return max(jittered, min(failure.retryAfter ?? .zero, backoff.maximum))
        }
        func retryUncharged() -> SubmissionDecision {
            .retry(at: now + delay(), charged: false)
        }
        func retry() -> SubmissionDecision {
            guard isCharged || failure.outcome == .unknown else { return retryUncharged() }
            guard context.attempts < context.maxAttempts else { return .fail(instances: .failed) }
            return .retry(at: now + delay(), charged: true)
        }

        if failure.outcome == .unknown {
            guard context.jobState.sends else { return .fail(instances: .unknown) }
            return switch context.onUnknown {
            case .hold: .hold
            case .fail: .fail(instances: .unknown)
            case .retry: retry()
            }
        }
        guard context.jobState.sends else { return .cancel }
        switch failure.outcome {
        case .unknown:
            return retry()
        // What never reached the API is no attempt; whether others do is decided by the circuit breaker.
        case .notSent, .throttled:
            return retryUncharged()
        case .unauthenticated:
            // Due as soon as the circuit closes: with new credentials nothing is left to wait for.
            return .retry(at: now, charged: false)
        case .refused where failure.isOfEndpoint:
            // Whatever its code is, it tells nothing of this chunk.
            return retryUncharged()
        case .refused:
            switch classified.action {
            case .retry: return retry()
            case .fail: return .fail(instances: .failed)
            case .split: return context.size > 1 ? .split : .fail(instances: .rejected)
            case .isolate: return context.size > 1 ? .split : retry()
            // `unknown` is an outcome once the policies are applied.
            case .authenticate, .stop, .unknown: return retryUncharged()
            }
        }
    }
}
