/// Every problem of a configuration, for one look.
struct SettingsProblems: Error, CustomStringConvertible {
    /// A key and the rule that its value breaks.
    struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// The file or the variable in which the value stands; `nil` where there is none.
        let place: String?
        /// The line of the file.
        var line: Int?
        /// The key; `nil` for a problem of a file as a whole.
        let key: String?
        let rule: String

        func isOf(_ key: SettingsKey) -> Bool { self.key == key.name }

        var description: String {
            let place = place.map { place in line.map { "\(place):\($0)" } ?? place }
            return [place, key, rule].compactMap(\.self).joined(separator: ": ")
        }
    }

    let problems: [Problem]

    init(_ problems: [Problem]) {
        self.problems = problems
    }

    /// Problems in the order of the file, then the others in the order in which they were found.
    static func sorted(_ problems: [Problem]) -> [Problem] {
        problems.enumerated()
            .sorted { ($0.element.line ?? .max, $0.offset) < ($1.element.line ?? .max, $1.offset) }
            .map(\.element)
    }

    /// A file that cannot be read at all.
    init(whole path: String, _ rule: String) {
        self.init([Problem(place: path, key: nil, rule: rule)])
    }

    var description: String {
        (["the configuration has \(problems.count == 1 ? "a problem" : "\(problems.count) problems"):"]
            + problems.map { "  \($0)" }).joined(separator: "\n")
    }
}
