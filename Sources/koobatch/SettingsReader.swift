import Configuration

/// Every problem of a configuration, for one look.
struct SettingsProblems: Error, CustomStringConvertible {
    /// A key and the rule that its value breaks.
    struct Problem {
        let key: String
        let rule: String
    }

    let problems: [Problem]

    init(_ problems: [Problem]) {
        self.problems = problems
    }

    var description: String {
        (["the configuration has \(problems.count == 1 ? "a problem" : "\(problems.count) problems"):"]
            + problems.map { "  \($0.key): \($0.rule)" }).joined(separator: "\n")
    }
}

/// Reads keys from the environment, else from the file, and collects what is wrong with them.
///
/// The environment variable of a key is the key in capitals with `_` for `.`, after `KOOBATCH_`. An empty variable
/// counts as none.
struct SettingsReader {
    private let file: any ConfigProvider
    private let environment: EnvironmentVariablesProvider
    private(set) var problems: [SettingsProblems.Problem] = []

    init(file: some ConfigProvider, environment: EnvironmentVariablesProvider) {
        self.file = file
        self.environment = environment
    }

    /// Notes that a key's value breaks a rule.
    mutating func problem(_ key: String, _ rule: String) {
        problems.append(.init(key: key, rule: rule))
    }

    /// The environment variable of a key.
    static func variable(of key: String) -> String {
        "KOOBATCH_" + key.uppercased().split(separator: ".").joined(separator: "_")
    }

    /// A text that is not empty.
    mutating func text(_ key: String, required: Bool = false) -> String? {
        do {
            let variable = try environment.environmentValue(forName: Self.variable(of: key))
            if let variable, !variable.isEmpty { return variable }
            let value = try file.value(forKey: AbsoluteConfigKey(ConfigKey(key)), type: .string).value
            if case .string(let text) = value?.content, !text.isEmpty { return text }
        } catch {
            problem(key, "must be a single value")
            return nil
        }
        if required { problem(key, "required") }
        return nil
    }

    /// A whole number.
    mutating func whole(_ key: String, in range: ClosedRange<Int>, default standard: Int) -> Int {
        guard let text = text(key) else { return standard }
        if let number = Int(text), range.contains(number) { return number }
        problem(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound), not \(text)")
        return standard
    }

    /// A number of seconds.
    mutating func seconds(_ key: String, in range: ClosedRange<Double>, default standard: Double) -> Duration {
        guard let text = text(key) else { return .seconds(standard) }
        if let number = Double(text), range.contains(number) { return .seconds(number) }
        problem(key, "must be a number of seconds from \(range.lowerBound) to \(range.upperBound), not \(text)")
        return .seconds(standard)
    }

    /// A number a second; `nil` where it is not set.
    mutating func rate(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let text = text(key) else { return nil }
        if let number = Double(text), range.contains(number) { return number }
        problem(key, "must be a number from \(range.lowerBound) to \(range.upperBound), not \(text)")
        return nil
    }

    /// One of some words.
    mutating func choice(_ key: String, of words: [String], default standard: String) -> String {
        guard let text = text(key) else { return standard }
        if words.contains(text) { return text }
        problem(key, "must be \(words.joined(separator: " or ")), not \(text)")
        return standard
    }

    /// Yes or no, in the words of YAML.
    mutating func flag(_ key: String, default standard: Bool) -> Bool {
        switch choice(key, of: ["true", "false", "yes", "no", "on", "off"], default: standard ? "true" : "false") {
        case "true", "yes", "on": true
        default: false
        }
    }
}
