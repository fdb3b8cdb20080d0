import KoobatchCore

/// Labels for the time of a chart, at round times of UTC.
struct TimeAxis {
    private static let second: Int64 = 1_000
    private static let minute: Int64 = 60 * second
    private static let hour: Int64 = 60 * minute
    private static let day: Int64 = 24 * hour
    private static let intervals: [Int64] = [
        10, 20, 50, 100, 200, 500, second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second, minute,
        2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour,
        day, 2 * day, 7 * day, 14 * day, 28 * day, 56 * day, 112 * day, 364 * day, 3_640 * day,
    ]

    private let start: Int64
    private let end: Int64

    init(from start: Timestamp, to end: Timestamp) {
        self.start = start.millisecondsSinceEpoch
        self.end = max(end.millisecondsSinceEpoch, start.millisecondsSinceEpoch + 1)
    }

    /// Where each label stands, as a share of the axis, and its text.
    func labels(most: Int) -> [(share: Double, text: String)] {
        let span = end - start
        let interval = Self.intervals.first { span / $0 < Int64(most) } ?? span
        var time = (start + interval - 1) / interval * interval
        var labels: [(share: Double, text: String)] = []
        while time <= end {
            labels.append((Double(time - start) / Double(span), text(time, interval: interval)))
            time += interval
        }
        return labels
    }

    private func text(_ time: Int64, interval: Int64) -> String {
        let text = "\(Timestamp(millisecondsSinceEpoch: time))"
        func part(_ from: Int, _ length: Int) -> String { String(text.dropFirst(from).prefix(length)) }
        switch interval {
        case ..<Self.second: return part(17, interval < 100 ? 5 : 4) + " s"
        case ..<Self.minute: return part(11, 8)
        case ..<Self.day: return end - start > Self.day ? part(5, 11).replacing("T", with: " ") : part(11, 5)
        default: return part(0, 10)
        }
    }
}
