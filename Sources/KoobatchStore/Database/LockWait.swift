import Foundation
import KoobatchCore
import Synchronization

/// How long the statements of a connection wait for the lock of another program.
///
/// As SQLite's own busy timeout (https://sqlite.org/c3ref/busy_timeout.html), but with an end that can be set while a
/// statement waits: when the daemon is to end, nobody else's lock keeps it.
final class LockWait: Sendable {
    /// The pauses between tries, in milliseconds, as SQLite has them; the last one goes on.
    private static let pauses: [useconds_t] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100]

    private struct State {
        var began = ContinuousClock.now
        var end: ContinuousClock.Instant?
        var isImpatient = false
    }

    private let longest: Duration
    private let state = Mutex(State())

    /// - Parameter longest: how long one statement waits.
    init(_ longest: Duration) {
        self.longest = longest
    }

    /// Has nobody wait any longer than until then.
    func end(by deadline: ContinuousClock.Instant) {
        state.withLock { $0.end = deadline }
    }

    /// Has a statement that finds a lock fail at once.
    func withoutWaiting<Value>(_ body: () throws -> Value) rethrows -> Value {
        state.withLock { $0.isImpatient = true }
        defer { state.withLock { $0.isImpatient = false } }
        return try body()
    }

    /// Pauses before another try.
    ///
    /// - Parameter tries: those of the statement that have failed before.
    /// - Returns: `false` when the statement is to fail.
    func pause(afterTries tries: Int) -> Bool {
        let left = state.withLock { state in
            let now = ContinuousClock.now
            if tries == 0 { state.began = now }
            if state.isImpatient { return Duration.zero }
            let deadline = state.began + longest
            return min(deadline, state.end ?? deadline) - now
        }
        guard left > .zero else { return false }
        let pause = Self.pauses[min(tries, Self.pauses.count - 1)] * 1_000
        // SQLite calls this on the thread that waits, which has nothing else to do and cannot suspend.
        usleep(min(pause, useconds_t(left.wholeMilliseconds + 1) * 1_000))
        return true
    }
}
