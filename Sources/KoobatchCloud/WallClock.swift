import FoundationEssentials
public import KoobatchCore

/// The clock that dates in answers are compared with.
public enum WallClock {
    /// The time now.
    @Sendable public static func now() -> Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64((Date.now.timeIntervalSince1970 * 1_000).rounded(.down)))
    }
}
