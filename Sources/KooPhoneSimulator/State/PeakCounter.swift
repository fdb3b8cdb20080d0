import FoundationEssentials

/// The most requests that ever came within one second, wherever that second begins.
struct PeakCounter: Sendable {
    private(set) var peak = 0
    private var recent: [Date] = []
    private var oldest = 0

    mutating func record(at now: Date) {
        recent.append(now)
        while now.timeIntervalSince(recent[oldest]) >= 1 {
            oldest += 1
        }
        peak = max(peak, recent.count - oldest)
        if oldest > 4_096, oldest * 2 > recent.count {
            recent.removeFirst(oldest)
            oldest = 0
        }
    }
}
