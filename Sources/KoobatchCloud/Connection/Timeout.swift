/// Waits for a time; throws when its task is cancelled.
typealias Pause = @Sendable (Duration) async throws -> Void

/// A time limit was reached.
struct TimedOut: Error {}

/// How long a process gets that did not run when its time limit came: what lies in its sockets is read first.
private let lastLook = Duration.seconds(1)
/// How often it gets that: a machine whose timers are always late must end its requests too.
private let mostLooks = 5
/// How late a timer may be in a process that runs.
private let punctuality = Duration.milliseconds(100)

private enum Outcome<Value: Sendable>: Sendable {
    case finished(Result<Value, any Error>)
    case timeIsUp
    case timerStopped
}

/// Runs an operation, and cancels it when it takes longer than the limit.
///
/// A value that the operation returns counts, even if it comes together with the limit or with cancellation: an answer
/// that is there is never thrown away. Nor is one that came while this process was suspended (SIGSTOP, a frozen cgroup, a
/// paused virtual machine): a timer that is late shows that, and then the operation gets a last second to read it.
///
/// - Parameters:
///   - limit: how long the operation may take.
///   - clock: tells how late the timer was; tests bring their own.
///   - pause: waits for that long; tests bring their own.
///   - operation: obeys cancellation.
/// - Throws: `TimedOut` if the limit ended the operation, else what the operation throws.
func withTimeout<Value: Sendable>(
    _ limit: Duration,
    clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    pause: @escaping Pause,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let result = await withTaskGroup(of: Outcome<Value>.self) { group -> Result<Value, any Error> in
        group.addTask {
            do {
                return .finished(.success(try await operation()))
            } catch {
                return .finished(.failure(error))
            }
        }
        group.addTask {
            do {
                for wait in [limit] + Array(repeating: lastLook, count: mostLooks) {
                    let due = clock() + wait
                    try await pause(wait)
                    if clock() <= due + punctuality { break }
                }
                return .timeIsUp
            } catch {
                return .timerStopped
            }
        }
        var isLate = false
        while let ending = await group.next() {
            switch ending {
            case .finished(.failure) where isLate:
                return .failure(TimedOut())
            case .finished(let result):
                group.cancelAll()
                return result
            case .timeIsUp:
                isLate = true
                group.cancelAll()
            case .timerStopped:
                break
            }
        }
        return .failure(CancellationError())
    }
    return try result.get()
}
