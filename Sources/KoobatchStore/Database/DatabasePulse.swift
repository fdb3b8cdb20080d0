import GRDB
import Synchronization

/// Whether calls of the database return, for the watchdog.
final class DatabasePulse: Sendable {
    private struct State {
        var began: ContinuousClock.Instant?
        var locked: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// Runs a call; one at a time, as on the queue of a connection.
    func around<Value>(_ call: () throws -> Value) rethrows -> Value {
        state.withLock { $0.began = .now }
        defer { state.withLock { $0.began = nil } }
        do {
            return try call()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            state.withLock { $0.locked = .now }
            throw error
        }
    }

    func reading(at now: ContinuousClock.Instant) -> (call: Duration?, locked: Duration?) {
        state.withLock { state in (state.began.map { now - $0 }, state.locked.map { now - $0 }) }
    }
}

extension Store {
    /// How long the call that is being executed has taken, and how long ago the database was last found locked by
    /// another process.
    ///
    /// Answers at once, whatever the database does.
    public func pulse(at now: ContinuousClock.Instant) -> (call: Duration?, locked: Duration?) {
        let (call, locked) = pulse.reading(at: now)
        return ([call, syncPulse.reading(at: now).call].compactMap(\.self).max(), locked)
    }
}
