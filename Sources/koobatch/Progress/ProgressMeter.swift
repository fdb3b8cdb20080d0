import KoobatchCore

/// How fast a count grows: over the last seconds, so that it follows what happens.
struct ProgressMeter {
    private static let window = Duration.seconds(15)
    private static let shortest = Duration.seconds(0.5)

    private var samples: [(time: Duration, done: Int)] = []

    /// Notes the count at a time since any fixed moment.
    mutating func note(done: Int, at time: Duration) {
        // A job that runs again has less done than before.
        if let last = samples.last, done < last.done { samples = [] }
        samples.append((time, done))
        // One sample from before the window stays, to measure from.
        let start = samples.lastIndex { $0.time <= time - Self.window } ?? 0
        samples.removeFirst(start)
    }

    /// Counts a second; `nil` while it is too early to tell or nothing happens.
    var rate: Double? {
        guard let first = samples.first, let last = samples.last, last.time - first.time >= Self.shortest,
            last.done > first.done
        else { return nil }
        return Double(last.done - first.done) / (last.time - first.time).inSeconds
    }

    /// The time that so many more take at this speed.
    func remaining(_ count: Int) -> Duration? {
        rate.map { .seconds(Double(count) / $0) }
    }
}
