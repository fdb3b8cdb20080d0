import KoobatchCore
import Synchronization

@testable import KoobatchEngine

/// Clocks that a test sets; who waits by them goes on when the test moves them.
final class ManualTime: Sendable {
    static let start = Timestamp(millisecondsSinceEpoch: 1_577_836_800_000)

    private struct Sleeper {
        let due: Duration
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var wall = ManualTime.start
        var uptime = Duration.zero
        var number = 0
        var sleepers: [Int: Sleeper] = [:]
        var sleeps = 0
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var now: Timestamp { state.withLock { $0.wall } }

    /// The clocks of an engine.
    var time: EngineTime {
        EngineTime(
            wallClock: { self.now },
            steadyClock: { self.state.withLock { $0.uptime } },
            pause: { try await self.sleep($0) }
        )
    }

    /// Lets time pass.
    func advance(by duration: Duration) {
        let woken = state.withLock { state in
            state.wall = state.wall + duration
            state.uptime += duration
            let woken = state.sleepers.filter { $0.value.due <= state.uptime }
            for number in woken.keys { state.sleepers.removeValue(forKey: number) }
            return woken.values
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }

    /// Sets the wall clock, and lets no time pass.
    func set(to time: Timestamp) {
        state.withLock { $0.wall = time }
    }

    /// Waits until somebody has gone to sleep so many times.
    func sleeps(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.sleeps < count { state.watchers.append((count, continuation)) }
                return state.sleeps >= count
            }
            if isThere { continuation.resume() }
        }
    }

    private func sleep(_ duration: Duration) async throws {
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (isCancelled, watchers) = state.withLock { state in
                    let isCancelled = Task.isCancelled
                    if !isCancelled {
                        state.sleepers[number] = Sleeper(due: state.uptime + duration, continuation: continuation)
                    }
                    state.sleeps += 1
                    let watchers = state.watchers.filter { $0.count <= state.sleeps }
                    state.watchers.removeAll { $0.count <= state.sleeps }
                    return (isCancelled, watchers)
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
                for watcher in watchers { watcher.continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation
                .resume(throwing: CancellationError())
        }
    }
}
