import FoundationEssentials

/// Names tasks and jobs by their number, so that a name never repeats and needs no storage.
///
/// The first half of a name is a bijection of the number, which makes it unique and lets a task be found again without
/// an index. The start time enters it: two runs with one seed inject the same faults and yet never reuse a name, just as
/// the real service never does.
struct IdentifierScheme: Sendable {
    private let offset: UInt64

    init(seed: UInt64, startedAt: Date) {
        let microseconds = UInt64(max(0, startedAt.timeIntervalSince1970 * 1_000_000))
        self.offset = SplitMix64.mix(seed ^ SplitMix64.mix(microseconds))
    }

    func task(_ number: Int) -> Identifier {
        identifier(UInt64(number) << 1)
    }

    func job(_ number: Int) -> Identifier {
        identifier(UInt64(number) << 1 | 1)
    }

    /// The number of the task with this name; nil for a name that this scheme did not give.
    func taskNumber(of identifier: Identifier) -> Int? {
        let ordinal = SplitMix64.unmix(identifier.high) &- offset
        guard ordinal & 1 == 0, self.identifier(ordinal) == identifier else { return nil }
        return Int(exactly: ordinal >> 1)
    }

    private func identifier(_ ordinal: UInt64) -> Identifier {
        let high = SplitMix64.mix(ordinal &+ offset)
        return Identifier(high: high, low: SplitMix64.mix(~high))
    }
}
