import KoobatchCore
import Synchronization

/// Whether the engine works: heartbeats are written, and the stages make progress.
public final class Health: Sendable {
    /// How long a heartbeat, or a stage's turn, may take.
    static let patience = Duration.seconds(30)

    private struct State {
        var wroteAt = ContinuousClock.now
        var error: String?
    }

    private let progress: @Sendable () -> ProgressReport
    private let state = Mutex(State())

    /// Creates a state of health.
    ///
    /// - Parameter progress: how far the stages have come; answers at once, whatever stands still.
    init(progress: @escaping @Sendable () -> ProgressReport) {
        self.progress = progress
    }

    /// Notes that the heartbeat is in the database.
    func wrote() {
        state.withLock { $0 = State() }
    }

    /// Notes that the database did not take it.
    func failed(_ error: any Error) {
        state.withLock { $0.error = "\(error)" }
    }

    /// What is wrong, a sentence each; empty when all is well.
    public var problems: [String] {
        let state = state.withLock { $0 }
        var problems: [String] = []
        if let error = state.error { problems.append("database writes fail: \(error)") }
        let silence = .now - state.wroteAt
        if silence > Self.patience {
            problems.append("the last heartbeat was written \(silence.components.seconds) s ago")
        }
        if let stall = Stall.find(in: progress(), limit: Self.patience) { problems.append("\(stall)") }
        return problems
    }
}
