/// One row of the table: a quantity that was measured once a repetition.
struct Figure: Encodable {
    /// What a repetition gave it, in the order of the repetitions; empty when it could not be measured.
    let values: [Double]
    let name: String
    let unit: Unit
    let target: Target?
    /// What a reader should know of the values, or why there are none.
    let note: String?

    /// What the values count.
    enum Unit: String, Encodable {
        case count = ""
        case ratio = "x"
        case perSecond = "/s"
        case seconds = "s"
        case milliseconds = "ms"
        case microseconds = "us"
        case percent = "%"
        case mebibytes = "MiB"
        case bytes = "B"
    }

    /// What a figure should reach.
    struct Target: Encodable {
        /// Whether a smaller figure is a better one.
        let isCeiling: Bool
        /// What it must reach.
        let bound: Double
        /// What it should reach.
        let goal: Double

        static func atLeast(_ bound: Double, goal: Double) -> Target {
            Target(isCeiling: false, bound: bound, goal: goal)
        }

        static func atMost(_ bound: Double, goal: Double) -> Target {
            Target(isCeiling: true, bound: bound, goal: goal)
        }

        fileprivate func isReached(by value: Double, _ limit: Double) -> Bool {
            isCeiling ? value <= limit : value >= limit
        }
    }

    /// What the median reaches.
    enum Verdict: String, Encodable {
        case goal, bound, missed
    }

    init(_ name: String, _ values: [Double], _ unit: Unit, _ target: Target? = nil, note: String? = nil) {
        self.name = name
        self.values = values
        self.unit = unit
        self.target = target
        self.note = note
    }

    /// A row that could not be measured.
    init(missing name: String, because reason: String) {
        self.init(name, [], .count, note: reason)
    }

    /// The same without a judgement.
    var withoutTarget: Figure { Figure(name, values, unit, note: note) }

    var median: Double? { values.quantile(0.5) }

    var verdict: Verdict? {
        guard let median, let target else { return nil }
        if target.isReached(by: median, target.goal) { return .goal }
        return target.isReached(by: median, target.bound) ? .bound : .missed
    }

    private enum CodingKeys: String, CodingKey {
        case name, unit, median, lowest, highest, values, target, verdict, note
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(unit, forKey: .unit)
        try container.encode(median, forKey: .median)
        try container.encode(values.min(), forKey: .lowest)
        try container.encode(values.max(), forKey: .highest)
        try container.encode(values, forKey: .values)
        try container.encodeIfPresent(target, forKey: .target)
        try container.encodeIfPresent(verdict, forKey: .verdict)
        try container.encodeIfPresent(note, forKey: .note)
    }
}

extension [Double] {
    /// The smallest value that at least this share of the values do not exceed.
    ///
    /// Of an even number of values the median is the mean of the two in the middle; of none there is no quantile.
    func quantile(_ share: Double) -> Double? {
        guard !isEmpty else { return nil }
        let sorted = sorted()
        if share == 0.5, count.isMultiple(of: 2) {
            return (sorted[count / 2 - 1] + sorted[count / 2]) / 2
        }
        let rank = Int((share * Double(count)).rounded(.up))
        return sorted[Swift.min(Swift.max(rank, 1), count) - 1]
    }
}
