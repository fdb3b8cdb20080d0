import KoobatchStore
import Synchronization

/// What is known of a disk that cannot be relied on: for the loop, which is to end with it.
final class BrokenDisk: Sendable {
    private struct State {
        var error: (any Error)?
        var unsynced: [AttemptResult] = []
    }

    private let state = Mutex(State())

    /// Answers that are committed, and may not be on the disk.
    var unsynced: [AttemptResult] { state.withLock { $0.unsynced } }

    func fail(_ error: any Error, unsynced answers: [AttemptResult]) {
        state.withLock { state in
            state.error = state.error ?? error
            state.unsynced += answers
        }
    }

    /// Throws the first error.
    func requireWhole() throws {
        if let error = state.withLock({ $0.error }) { throw error }
    }
}
