/// Every problem of a configuration, for one look.
struct SettingsProblems: Error, CustomStringConvertible {
    /// A key and the rule that its value breaks.
    struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// Where the value stands, such as `koobatch.yaml:7`; `nil` where there is none.
        let place: String?
        /// The key; `nil` for a problem of a file as a whole.
        let key: String?
        let rule: String

        var description: String {
            [place, key, rule].compactMap(\.self).joined(separator: ": ")
        }
    }

    let problems: [Problem]

    init(_ problems: [Problem]) {
        self.problems = problems
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
