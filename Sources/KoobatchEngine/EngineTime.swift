import Foundation
public import KoobatchCore

/// The clocks of the engine: the wall clock that due times are written in, one that is never set, and a way to wait.
public struct EngineTime: Sendable {
    /// The longest single wait, so that a wall clock that is set does not leave a stage asleep.
    private static let longestWait = Duration.seconds(30)
    private static let start = ContinuousClock.now

    private let wallClock: @Sendable () -> Timestamp
    private let steadyClock: @Sendable () -> Duration
    private let pause: @Sendable (Duration) async throws -> Void

    /// Creates clocks.
    ///
    /// - Parameters:
    ///   - wallClock: the time now.
    ///   - steadyClock: the time since some moment, by a clock that is never set and goes on while the machine is suspended.
    ///   - pause: waits; throws when its task is cancelled and at no other time.
    public init(
        wallClock: @escaping @Sendable () -> Timestamp,
        steadyClock: @escaping @Sendable () -> Duration,
        pause: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.wallClock = wallClock
        self.steadyClock = steadyClock
        self.pause = pause
    }

    /// The clocks of the system.
    public static let system = EngineTime(
        wallClock: {
            Timestamp(millisecondsSinceEpoch: Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down)))
        },
        // The first to ask sets the start, before the time is read.
        steadyClock: { start.duration(to: .now) },
        pause: { try await ContinuousClock().sleep(for: $0) }
    )

    /// The time now.
    public var now: Timestamp { wallClock() }

    /// The time since some moment, by a clock that is never set.
    var uptime: Duration { steadyClock() }

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
