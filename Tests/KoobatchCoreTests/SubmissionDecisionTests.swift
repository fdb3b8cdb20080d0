import KoobatchCore
import TestSupport
import Testing

@Suite("Submission decision")
struct SubmissionDecisionTests {
    /// One row of the table: what happened, to what, and what shall become of it.
    struct Case: Sendable, CustomTestStringConvertible {
        let outcome: ServiceFailure.Outcome
        let action: ErrorAction
        let size: Int
        let isLastAttempt: Bool
        let onUnknown: OnUnknown
        let jobState: CommandJobState

        var testDescription: String {
            "\(outcome), \(action), \(size) instances, last attempt \(isLastAttempt), on_unknown \(onUnknown), "
                + "job \(jobState)"
        }

        static var all: [Case] {
            var cases: [Case] = []
            for outcome in ServiceFailure.Outcome.allCases {
                for action in ErrorAction.allCases {
                    for size in [1, 32] {
                        for isLastAttempt in [false, true] {
                            for onUnknown in OnUnknown.allCases {
                                for jobState in CommandJobState.allCases {
                                    cases.append(
                                        Case(
                                            outcome: outcome,
                                            action: action,
                                            size: size,
                                            isLastAttempt: isLastAttempt,
                                            onUnknown: onUnknown,
                                            jobState: jobState
                                        )
                                    )
                                }
                            }
                        }
                    }
                }
            }
            return cases
        }

        /// The decision by the contract, without its time.
        var expected: String {
            let goesOn = jobState == .running || jobState == .paused
            let charged = isLastAttempt ? "fail failed" : "retry charged"
            switch (outcome, action, goesOn) {
            case (.unknown, _, false): return "fail unknown"
            case (.unknown, _, true):
                switch onUnknown {
                case .retry: return charged
                case .hold: return "hold"
                case .fail: return "fail unknown"
                }
            case (_, _, false): return "cancel"
            case (.throttled, _, _), (.unauthenticated, _, _), (.notSent, _, _): return "retry uncharged"
            case (.refused, .retry, _): return charged
            case (.refused, .fail, _): return "fail failed"
            case (.refused, .split, _): return size > 1 ? "split" : "fail rejected"
            case (.refused, .isolate, _): return size > 1 ? "split" : charged
            case (.refused, .authenticate, _), (.refused, .stop, _), (.refused, .unknown, _): return "retry uncharged"
            }
        }
    }

    private static let backoff = Backoff(base: .seconds(1), maximum: .seconds(300))
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    private static func decide(_ row: Case, retryAfter: Duration? = nil, attempts: Int = 3, seed: UInt64 = 1)
        -> SubmissionDecision
    {
        var generator = SeededGenerator(seed: seed)
        return .after(
            ClassifiedFailure(
                ServiceFailure(row.outcome, httpStatus: 400, errorCode: "CODE", message: "m", retryAfter: retryAfter),
                action: row.action
            ),
            context: SubmissionContext(
                size: row.size,
                attempts: attempts,
                maxAttempts: row.isLastAttempt ? attempts : attempts + 1,
                onUnknown: row.onUnknown,
                jobState: row.jobState
            ),
            backoff: backoff,
            now: now,
            generator: &generator
        )
    }

    @Test("follows the contract in every case", arguments: Case.all)
    func table(_ row: Case) {
        let decision = Self.decide(row)
        let actual =
            switch decision {
            case .accept: "accept"
            case .retry(_, let charged): charged ? "retry charged" : "retry uncharged"
            case .hold: "hold"
            case .fail(let instances): "fail \(instances)"
            case .cancel: "cancel"
            case .split: "split"
            }
        #expect(actual == row.expected)
        if case .retry(let at, _) = decision {
            #expect(at >= Self.now && at <= Self.now + Self.backoff.bound(afterFailures: 3))
        }
    }

    @Test(
        "waits as long as the API asks, but no longer than the longest delay",
        arguments: [
            (Duration.seconds(200), Duration.seconds(200)), (.seconds(301), .seconds(300)),
            (.seconds(86_400), .seconds(300)),
        ],
        [1, 2, 3] as [UInt64]
    )
    func retryAfter(_ delays: (asked: Duration, kept: Duration), seed: UInt64) {
        let row = Case(
            outcome: .throttled,
            action: .retry,
            size: 32,
            isLastAttempt: false,
            onUnknown: .retry,
            jobState: .running
        )
        let decision = Self.decide(row, retryAfter: delays.asked, attempts: 1, seed: seed)
        #expect(decision == .retry(at: Self.now + delays.kept, charged: false))
    }

    @Test("while the endpoint as a whole fails charges only what may have been acted on", arguments: Case.all)
    func uncharged(_ row: Case) {
        var generator = SeededGenerator(seed: 1)
        let decision = SubmissionDecision.after(
            ClassifiedFailure(
                ServiceFailure(row.outcome, httpStatus: 500, errorCode: "CODE", message: "m"),
                action: row.action
            ),
            context: SubmissionContext(
                size: row.size,
                attempts: 3,
                maxAttempts: row.isLastAttempt ? 3 : 4,
                onUnknown: row.onUnknown,
                jobState: row.jobState
            ),
            isCharged: false,
            backoff: Self.backoff,
            now: Self.now,
            generator: &generator
        )
        if case .retry(_, let charged) = decision { #expect(charged == (row.outcome == .unknown)) }
        let charged = Self.decide(row)
        switch charged {
        case _ where row.outcome == .unknown: #expect(decision == charged)
        case .retry, .fail(instances: .failed): break
        default: #expect(decision == charged)
        }
    }

    @Test(
        "about a chunk whose answer is the endpoint's fault retries it, whatever the code's action",
        arguments: ErrorAction.allCases,
        [1, 32]
    )
    func endpointFault(action: ErrorAction, size: Int) {
        var generator = SeededGenerator(seed: 1)
        let decision = SubmissionDecision.after(
            ClassifiedFailure(
                ServiceFailure(.refused, httpStatus: 400, errorCode: "CODE", message: "m", endpointFault: .certain),
                action: action
            ),
            context: SubmissionContext(size: size, attempts: 8, maxAttempts: 8, onUnknown: .hold, jobState: .running),
            backoff: Self.backoff,
            now: Self.now,
            generator: &generator
        )
        guard case .retry(_, charged: false) = decision else {
            Issue.record("\(decision)")
            return
        }
    }
}
