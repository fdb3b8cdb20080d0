import Foundation
public import KoobatchCore

/// The clocks of the engine: the wall clock that due times are written in, and a way to wait.
public struct EngineTime: Sendable {
    /// The longest single wait, so that a wall clock that is set does not leave a stage asleep.
    private static let longestWait = Duration.seconds(30)

    private let wallClock: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) async throws -> Void

    /// Creates clocks; `pause` throws when its task is cancelled and at no other time.
    public init(
        wallClock: @escaping @Sendable () -> Timestamp,
        pause: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.wallClock = wallClock
        self.pause = pause
    }

    /// The clocks of the system.
    public static let system = EngineTime(
        wallClock: {
            Timestamp(millisecondsSinceEpoch: Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down)))
        },
        pause: { try await ContinuousClock().sleep(for: $0) }
    )

    /// The time now.
    public var now: Timestamp { wallClock() }

    /// How long `sleep(until:)` takes at most.
    func pause(until deadline: Timestamp) -> Duration {
        min(max(.zero, deadline - now), Self.longestWait)
    }

    /// Waits until the wall clock shows the time, half a minute has gone by, or the task is cancelled.
    ///
    /// - Returns: `false` if the task was cancelled.
    public func sleep(until deadline: Timestamp) async -> Bool {
        let wait = pause(until: deadline)
        guard wait > .zero else { return true }
        do {
            try await pause(wait)
            return true
        } catch {
            return false
        }
    }
}
