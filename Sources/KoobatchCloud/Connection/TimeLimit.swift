import Synchronization

/// What time limits go by.
struct LimitTimer: Sendable {
    /// Tells how late a pause was.
    let now: @Sendable () -> ContinuousClock.Instant
    /// Waits for a time.
    let pause: @Sendable (Duration) async throws -> Void

    static let system = LimitTimer(now: { .now }, pause: { try await Task.sleep(for: $0) })
}

/// A time limit was reached.
struct TimedOut: Error {}

/// Cancels operations that take longer than a limit, which is the same for all of them.
///
/// One task waits for the next that is due, instead of a timer for each: while requests end in time, it wakes once in a limit.
final class TimeLimit: Sendable {
    /// How long a process gets that did not run when its time limit came: what lies in its sockets is read first.
    private static let lastLook = Duration.seconds(1)
    /// How often it gets that: a machine whose timers are always late must end its requests too.
    private static let mostLooks = 5
    /// How late a timer may be in a process that runs.
    private static let punctuality = Duration.milliseconds(100)

    private struct Operation {
        /// `nil` once it is cancelled.
        var due: ContinuousClock.Instant?
        var looks = 0
        let cancel: @Sendable () -> Void
    }

    private struct State {
        var operations: [UInt64: Operation] = [:]
        var last: UInt64 = 0
        var isWatched = false
    }

    private let limit: Duration
    private let timer: LimitTimer
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: how long an operation may take.
    ///   - timer: tests bring their own.
    init(_ limit: Duration, timer: LimitTimer) {
        self.limit = limit
        self.timer = timer
    }

    /// Runs an operation, and cancels it when it takes longer than the limit.
    ///
    /// A value that the operation returns counts, even if it comes together with the limit or with cancellation: an answer
    /// that is there is never thrown away. Nor is one that came while this process was suspended (SIGSTOP, a frozen cgroup, a
    /// paused virtual machine): a timer that is late shows that, and then the operation gets a last second to read it.
    ///
    /// - Parameter operation: obeys cancellation.
    /// - Throws: `TimedOut` if the limit ended the operation, else what the operation throws.
    func run<Value: Sendable>(_ operation: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let task = Task { try await operation() }
        let number = begin { task.cancel() }
        let result = await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            task.cancel()
        }
        let isLate = state.withLock { $0.operations.removeValue(forKey: number)?.due == nil }
        if isLate, case .failure = result { throw TimedOut() }
        return try result.get()
    }

    private func begin(_ cancel: @escaping @Sendable () -> Void) -> UInt64 {
        let due = timer.now() + limit
        let (number, isFirst) = state.withLock { state in
            state.last += 1
            state.operations[state.last] = Operation(due: due, cancel: cancel)
            defer { state.isWatched = true }
            return (state.last, !state.isWatched)
        }
        if isFirst { Task { await self.watch() } }
        return number
    }

    /// Until there is nothing to wait for.
    private func watch() async {
        while let due = next() {
            do {
                try await timer.pause(max(.zero, due - timer.now()))
            } catch {
                // Nobody cancels it; a pause that fails ends what it was for.
            }
            for cancel in late(at: max(timer.now(), due)) { cancel() }
        }
    }

    private func next() -> ContinuousClock.Instant? {
        state.withLock { state in
            let due = state.operations.values.lazy.compactMap(\.due).min()
            state.isWatched = due != nil
            return due
        }
    }

    /// Those that are to be cancelled; others that are due get a last look.
    private func late(at now: ContinuousClock.Instant) -> [@Sendable () -> Void] {
        state.withLock { state in
            var late: [@Sendable () -> Void] = []
            for (number, operation) in state.operations {
                guard let due = operation.due, due <= now else { continue }
                if now > due + Self.punctuality, operation.looks < Self.mostLooks {
                    state.operations[number]?.due = now + Self.lastLook
                    state.operations[number]?.looks += 1
                } else {
                    state.operations[number]?.due = nil
                    late.append(operation.cancel)
                }
            }
            return late
        }
    }
}
