/// Instance ids and where each stood in what was given.
struct InstanceList: Sendable {
    /// The longest id that a job takes, in characters.
    static let longestID = 32
    /// How many of many faults are named.
    static let namedFaults = 5

    /// What positions count: lines of a file, elements of a JSON array or of a list on the command line.
    enum Unit: String, Sendable {
        case line
        case element
    }

    let unit: Unit
    /// The title of the CSV column that was taken.
    var column: String?
    private(set) var ids: [String] = []
    private(set) var positions: [Int] = []

    init(unit: Unit) {
        self.unit = unit
    }

    /// Adds an id; throws when it cannot be one.
    mutating func add(_ id: String, at position: Int) throws(InstanceListError) {
        if id.unicodeScalars.count > Self.longestID {
            let start = String(id.unicodeScalars.prefix(Self.longestID)).visible
            let rule = "an instance id has at most \(Self.longestID) characters, not \"\(start)…\""
            throw InstanceListError(unit, position, rule)
        }
        if id.unicodeScalars.contains(where: { $0.properties.generalCategory == .control || $0 == "\u{FFFD}" }) {
            throw InstanceListError(unit, position, "\"\(id.visible)\" holds control characters or broken Unicode")
        }
        ids.append(id)
        positions.append(position)
    }

    /// The list with every id once, where it stood first.
    func unique() -> InstanceList {
        var seen: Set<String> = []
        var list = InstanceList(unit: unit)
        list.column = column
        for (id, position) in zip(ids, positions) where seen.insert(id).inserted {
            list.ids.append(id)
            list.positions.append(position)
        }
        return list
    }

    /// Throws if an id stands more than once, and names the first ones with their positions.
    func checkDistinct() throws(InstanceListError) {
        var first: [String: Int] = [:]
        first.reserveCapacity(ids.count)
        var faults: [String] = []
        var repeated = 0
        for (id, position) in zip(ids, positions) {
            guard let earlier = first[id] else {
                first[id] = position
                continue
            }
            repeated += 1
            if faults.count < Self.namedFaults {
                faults.append("\"\(id.visible)\" on \(unit.rawValue)s \(earlier) and \(position)")
            }
        }
        guard repeated > 0 else { return }
        let more = repeated > faults.count ? ", and \(repeated - faults.count) more" : ""
        throw InstanceListError(
            "instances stand more than once: \(faults.joined(separator: ", "))\(more); --unique takes each once"
        )
    }
}

/// What is wrong with a list of instances.
struct InstanceListError: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    /// What was given, made safe for a terminal and not too long.
    static func shown(_ text: String) -> String {
        text.visible.cut(to: 80, ellipsis: "…")
    }

    init(_ unit: InstanceList.Unit, _ position: Int, _ rule: String) {
        description = "\(unit.rawValue) \(position): \(rule)"
    }
}
