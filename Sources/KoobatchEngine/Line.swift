public import KoobatchCore
import KoobatchStore
public import Logging
import Synchronization

/// The one line to the API that the submitter and the poller share; see `LineState`.
public final class Line: Sendable {
    private let state: Mutex<LineState>
    private let logger: Logger

    /// Creates an open line.
    ///
    /// - Parameters:
    ///   - backoff: how long the line stays closed, from the first time in a row to the longest.
    ///   - logger: for the openings and closings.
    public init(backoff: Backoff, logger: Logger) {
        self.state = Mutex(LineState(base: backoff.base, maximum: backoff.maximum))
        self.logger = logger
    }

    /// How many of the requests that are wanted may start now.
    func allowance(of wanted: Int, at now: Timestamp) -> Int {
        state.withLock { $0.allowance(of: wanted, at: now) }
    }

    /// Notes that requests have started.
    func started(_ count: Int) {
        state.withLock { $0.started(count) }
    }

    /// When the line may open next, if it is closed.
    var closedUntil: Timestamp? {
        state.withLock { $0.closedUntil }
    }

    /// Takes in what an answer says of the line.
    ///
    /// - Parameters:
    ///   - failure: of the request; `nil` for one that was accepted.
    ///   - concernsEverything: whether the refusal is one that no other request would escape.
    /// - Returns: the line as it is now, if what is to be recorded of it has changed.
    func note(_ failure: ServiceFailure?, concernsEverything: Bool = false, at now: Timestamp) -> LineState? {
        let (before, after) = state.withLock { line in
            let before = line
            switch failure?.outcome {
            case .none: line.passed()
            case .throttled: line.close(.throttled, asked: failure?.retryAfter, at: now)
            case .unauthenticated: line.close(.credentials, asked: failure?.retryAfter, at: now)
            case .refused where concernsEverything: line.close(.refusal, asked: failure?.retryAfter, at: now)
            case .refused: line.passed()
            case .notSent, .unknown: line.probeWasLost(at: now)
            }
            return (before, line)
        }
        if before.phase != after.phase { log(after, failure) }
        return before.phase != after.phase || before.hasPassed != after.hasPassed ? after : nil
    }

    private func log(_ line: LineState, _ failure: ServiceFailure?) {
        switch line.phase {
        case .open:
            logger.notice("Requests go freely again")
        case .closed(let until, let reason):
            let level: Logger.Level = reason == .throttled ? .warning : .error
            logger.log(
                level: level,
                "Requests pause",
                metadata: [
                    LogKeys.reason: "\(reason.rawValue)",
                    LogKeys.until: "\(until)",
                    LogKeys.code: "\(failure?.errorCode ?? "")",
                    LogKeys.message: "\(failure?.message ?? "")",
                ]
            )
        case .probing:
            break
        }
    }
}
