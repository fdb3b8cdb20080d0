/// Waits for a time; throws when its task is cancelled.
typealias Pause = @Sendable (Duration) async throws -> Void

/// A time limit was reached.
struct TimedOut: Error {}

private enum Ending<Value: Sendable>: Sendable {
    case finished(Result<Value, any Error>)
    case timeIsUp
    case timerStopped
}

/// Runs an operation, and cancels it when it takes longer than the limit.
///
/// A value that the operation returns counts, even if it comes together with the limit or with cancellation: an answer
/// that is there is never thrown away.
///
/// - Parameters:
///   - limit: how long the operation may take.
///   - pause: waits for that long; tests bring their own.
///   - operation: obeys cancellation.
/// - Throws: `TimedOut` if the limit ended the operation, else what the operation throws.
func withTimeout<Value: Sendable>(
    _ limit: Duration,
    pause: @escaping Pause,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let result = await withTaskGroup(of: Ending<Value>.self) { group -> Result<Value, any Error> in
        group.addTask {
            do {
                return .finished(.success(try await operation()))
            } catch {
                return .finished(.failure(error))
            }
        }
        group.addTask {
            do {
                try await pause(limit)
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
