import FoundationEssentials
public import KoobatchCore

/// The clock that dates in answers are compared with.
public enum WallClock {
    /// The time now.
    @Sendable public static func now() -> Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64((Date.now.timeIntervalSince1970 * 1_000).rounded(.down)))
    }

    private static let start = ContinuousClock.now

    /// The time since some moment, by a clock that is never set and goes on while the machine is suspended.
    @Sendable static func uptime() -> Duration { ContinuousClock.now - start }
}
