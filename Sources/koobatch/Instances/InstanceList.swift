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
        if !id.utf8.allSatisfy(Self.isPart), let strange = id.unicodeScalars.first(where: { !Self.isPart($0) }) {
            let rule =
                "\"\(id.visible)\" holds \(strange.title); an instance id is of visible ASCII characters,"
                + " without space, \" and \\"
            throw InstanceListError(unit, position, rule)
        }
        ids.append(id)
        positions.append(position)
    }

    private static func isPart(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private static func isPart(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && isPart(UInt8(ascii: scalar))
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
            "duplicate instances: \(faults.joined(separator: ", "))\(more); --unique ignores duplicates"
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

extension Unicode.Scalar {
    /// Its code point and name: `U+200B (zero width space)`.
    fileprivate var title: String {
        let digits = String(value, radix: 16, uppercase: true)
        let code = "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        if self == "\u{FEFF}" { return "\(code) (byte order mark)" }
        if properties.generalCategory == .control { return "\(code) (control character)" }
        return properties.name.map { "\(code) (\($0.lowercased()))" } ?? code
    }
}
