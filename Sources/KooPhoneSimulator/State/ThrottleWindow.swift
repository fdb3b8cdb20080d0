import FoundationEssentials

/// The gateway's throttling: a window of one second that opens with the first request after the one before.
struct ThrottleWindow: Sendable {
    private var openedAt = Date.distantPast
    private var admitted = 0

    /// Counts a request that is let through; refused ones do not count.
    mutating func admit(at now: Date, limit: Int) -> Bool {
        if abs(now.timeIntervalSince(openedAt)) >= 1 {
            openedAt = now
            admitted = 0
        }
        guard admitted < limit else { return false }
        admitted += 1
        return true
    }
}
