/// When to ask for the results of a task, and when to stop asking.
public struct PollSchedule: Hashable, Sendable {
    /// The delay from the submission to the first query, and between early ones.
    public let initialDelay: Duration
    /// The longest delay between two queries.
    public let maxDelay: Duration
    /// How long after its submission a result counts as never coming, unless the job says otherwise.
    public let resultTimeout: Duration

    /// Creates a schedule.
    public init(initialDelay: Duration, maxDelay: Duration, resultTimeout: Duration) {
        self.initialDelay = initialDelay
        self.maxDelay = max(initialDelay, maxDelay)
        self.resultTimeout = resultTimeout
    }

    /// The delay until the next query of a task after the given number of fruitless ones: each half as long again.
    public func delay(afterPolls polls: Int) -> Duration {
        guard polls > 0 else { return initialDelay }
        var seconds = initialDelay.inSeconds
        for _ in 0..<min(polls, 100) where seconds < maxDelay.inSeconds { seconds *= 1.5 }
        return seconds >= maxDelay.inSeconds ? maxDelay : .milliseconds(Int64(seconds * 1_000))
    }
}

/// What happens to a submitted chunk after a query.
public enum PollDecision: Hashable, Sendable {
    /// Ask again at the time.
    case again(at: Timestamp)
    /// Nothing more is awaited. Instances without a result are `unknown`, for the reason given.
    case finish(unresolved: ServiceFailure?)
}

extension PollDecision {
    /// Decides about a submitted chunk.
    ///
    /// - Parameters:
    ///   - failure: of the query, if it failed.
    ///   - unfinished: instances whose result is awaited still, the ones of this query taken off.
    ///   - polls: queries so far, this one included.
    ///   - deadline: when results count as never coming.
    ///   - schedule: delays between queries.
    ///   - policies: what to do about the API's codes; of a query's, `fail` means that the task has no results to give.
    ///   - now: the time of the decision.
    public static func after(
        failure: ServiceFailure?,
        unfinished: Int,
        polls: Int,
        deadline: Timestamp,
        schedule: PollSchedule,
        policies: ErrorPolicies,
        now: Timestamp
    ) -> PollDecision {
        if unfinished == 0 { return .finish(unresolved: nil) }
        if let failure, failure.outcome == .refused,
            policies.action(code: failure.errorCode, httpStatus: failure.httpStatus) == .fail
        {
            return .finish(unresolved: failure)
        }
        if now >= deadline {
            return .finish(
                unresolved: ServiceFailure(
                    .unknown,
                    errorCode: ServiceFailure.Code.resultTimeout,
                    message: "no result came before the result timeout"
                )
            )
        }
        let pause = max(schedule.delay(afterPolls: polls), min(failure?.retryAfter ?? .zero, schedule.maxDelay))
        return .again(at: min(now + pause, deadline))
    }
}
