import FoundationEssentials

/// Locks an access key for five minutes once its signature was wrong more than five times in a row.
struct AccessKeyLock: Sendable {
    private static let tolerance = 5
    private static let penalty: TimeInterval = 300

    private var failures = 0
    private var lockedUntil = Date.distantPast

    mutating func refusal(flaw: String?, at now: Date) -> Refusal? {
        guard now >= lockedUntil else {
            return .signature("AK access failed to reach the limit, forbidden")
        }
        guard let flaw else {
            failures = 0
            return nil
        }
        failures += 1
        if failures > Self.tolerance {
            failures = 0
            lockedUntil = now.addingTimeInterval(Self.penalty)
        }
        return .signature(flaw)
    }
}
