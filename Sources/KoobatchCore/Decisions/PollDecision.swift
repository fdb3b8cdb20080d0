/// When to ask for the results of a task, and when to stop asking.
public struct PollSchedule: Hashable, Sendable {
    /// The delay from the submission to the first query, and the least between two.
    public let initialDelay: Duration
    /// The longest delay between two queries.
    public let maxDelay: Duration
    /// How long after its submission a result counts as never coming, unless the job says otherwise.
    public let resultTimeout: Duration

    /// Tasks of a job in flight that find out how long its results take, while that is not known.
    public static let probeTasks = 2

    private static let shareOfAge = 0.15

    /// Creates a schedule.
    public init(initialDelay: Duration, maxDelay: Duration, resultTimeout: Duration) {
        self.initialDelay = initialDelay
        self.maxDelay = max(initialDelay, maxDelay)
        self.resultTimeout = resultTimeout
    }

    /// The delay from a submission to the first query.
    ///
    /// - Parameters:
    ///   - typical: how long results of this job have been taking, if that is known.
    ///   - isProbe: whether this task is one of the few that find out; the others wait for what they find, four times
    ///     `maxDelay` at most.
    public func firstDelay(typical: Duration?, isProbe: Bool) -> Duration {
        guard let typical else { return isProbe ? initialDelay : longestFirstDelay }
        return max(initialDelay, min(typical, longestFirstDelay))
    }

    /// The delay until the next query.
    ///
    /// While nothing is known a share of the task's age, so that a result is late by that share at most. Before the typical
    /// age the rest of the way to it; then each half as long again, from a tenth of the typical duration.
    ///
    /// - Parameters:
    ///   - looks: queries of this task so far.
    ///   - age: of the task now.
    ///   - typical: how long results of this job have been taking, if that is known.
    public func delay(afterLooks looks: Int, age: Duration, typical: Duration?) -> Duration {
        guard let typical else { return min(max(initialDelay, age * Self.shareOfAge), maxDelay) }
        if typical > age + initialDelay { return min(typical - age, longestFirstDelay) }
        var seconds = max(initialDelay, typical / 10).inSeconds
        for _ in 1..<max(min(looks, 100), 1) where seconds < maxDelay.inSeconds { seconds *= 1.5 }
        return seconds >= maxDelay.inSeconds ? maxDelay : .milliseconds(Int64(seconds * 1_000))
    }

    /// A task is not left alone for longer than this even where its results have been taking longer.
    private var longestFirstDelay: Duration { maxDelay * 4 }

    /// The longest delay until a query of a task whose results are awaited.
    public var longestDelay: Duration { longestFirstDelay }

    /// When to look again at a task whose results did not come in time: at one and a half times its age, up to four times
    /// the timeout.
    ///
    /// - Returns: the delay, or `nil` when it is not looked at any more.
    public func lateDelay(age: Duration, timeout: Duration) -> Duration? {
        let delay = max(age / 2, initialDelay)
        return age + delay <= timeout * 4 ? delay : nil
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
    ///   - classified: the failure of the query, if it failed, with the error policies applied: `fail` means that the task has
    ///     no results to give.
    ///   - unfinished: instances whose result is awaited still, the ones of this query taken off.
    ///   - polls: queries so far, this one included.
    ///   - age: of the task.
    ///   - typical: how long results of this job have been taking, if that is known.
    ///   - deadline: when results count as never coming; classified by `trusted`.
    ///   - schedule: delays between queries.
    ///   - trusted: what the clock is trusted for, which is less than `now` while a leap of it is doubted; `nil`: `now`.
    ///   - now: the time of the decision.
    public static func after(
        failure classified: ClassifiedFailure?,
        unfinished: Int,
        polls: Int,
        age: Duration,
        typical: Duration?,
        deadline: Timestamp,
        schedule: PollSchedule,
        trusted: Timestamp? = nil,
        now: Timestamp
    ) -> PollDecision {
        let failure = classified?.failure
        let left = deadline - (trusted ?? now)
        if unfinished == 0 { return .finish(unresolved: nil) }
        if let classified, classified.failure.outcome == .refused, !classified.failure.isOfEndpoint,
            classified.action == .fail
        {
            return .finish(unresolved: failure)
        }
        if left <= .zero {
            return .finish(
                unresolved: ServiceFailure(
                    .unknown,
                    errorCode: ServiceFailure.Code.resultTimeout,
                    message: "no result came before the result timeout"
                        + (failure.map { "; the last query failed: \($0.errorCode) \($0.message)" } ?? "")
                )
            )
        }
        let pause = max(
            schedule.delay(afterLooks: polls, age: age, typical: typical),
            min(failure?.retryAfter ?? .zero, schedule.maxDelay)
        )
        return .again(at: now + min(pause, left))
    }
}
