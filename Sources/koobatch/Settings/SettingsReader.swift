import Configuration
import KoobatchCore

/// Reads keys from flags, else from the environment, else from the file, and collects what is wrong with them.
///
/// An empty environment variable counts as none.
struct SettingsReader {
    private let file: SettingsFile
    private let environment: EnvironmentVariablesProvider
    private let flags: [SettingsKey: String]
    private(set) var problems: [SettingsProblems.Problem] = []
    /// What is in force by key: what was read, else the default.
    private(set) var effective: [SettingsKey: String] = [:]

    init(file: SettingsFile, environment: [String: String], flags: [SettingsKey: String]) {
        self.file = file
        self.environment = EnvironmentVariablesProvider(environmentVariables: environment)
        self.flags = flags
        let known = Set(SettingsKey.all.map(\.name))
        for (name, line) in file.lines.sorted(by: { $0.value < $1.value }) where !known.contains(name) {
            if file.isEmpty(name), known.contains(where: { $0.hasPrefix(name + ".") }) { continue }
            if known.contains(where: { $0.hasPrefix(name + ".") }) {
                problems.append(
                    .init(place: file.path, line: line, key: name, rule: "is a section: its keys go below it")
                )
                continue
            }
            let hint = SettingsKey.closest(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
            problems.append(.init(place: file.path, line: line, key: name, rule: "there is no such key\(hint)"))
        }
    }

    /// Where the file is, or would be.
    var path: String { file.path }

    /// Notes that a key's value breaks a rule.
    mutating func problem(_ key: SettingsKey, _ rule: String) {
        let (place, line) = place(of: key)
        problems.append(.init(place: place, line: line, key: key.name, rule: rule))
    }

    /// Whether the key is set, and not only by its default.
    func isSet(_ key: SettingsKey) -> Bool {
        flags[key] != nil || place(of: key).place != nil
    }

    private func place(of key: SettingsKey) -> (place: String?, line: Int?) {
        if flags[key] != nil { return (nil, nil) }
        if environmentValue(of: key) != nil { return (key.variable, nil) }
        return file.lines[key.name].map { (file.path, $0) } ?? (nil, nil)
    }

    /// Where the database is, with a link at its end followed: its lock, its write-ahead log and whoever watches that
    /// must agree on its name, and SQLite follows links.
    mutating func database() -> String {
        guard let path = text(.database) else { return "" }
        if flags[.database] != nil {
            if path.isEmpty { problem(.database, "--database must be a path, not empty") }
        } else if !path.hasPrefix("/") {
            problem(.database, "must be an absolute path, not \(path); --database may be relative")
        }
        return LinkedFile.target(of: path)
    }

    private func environmentValue(of key: SettingsKey) -> String? {
        do {
            return try environment.environmentValue(forName: key.variable).flatMap { $0.isEmpty ? nil : $0 }
        } catch {
            return nil
        }
    }

    /// A text that is not empty: what is set, else the default.
    mutating func text(_ key: SettingsKey, required: Bool = false) -> String? {
        let text: String?
        do {
            text = try flags[key] ?? environmentValue(of: key) ?? file.text(key.name) ?? key.standard
        } catch {
            problem(key, "must be a single value")
            return nil
        }
        if let text { effective[key] = text } else if required { problem(key, "required") }
        return text
    }

    /// A whole number.
    mutating func whole(_ key: SettingsKey, in range: ClosedRange<Int>) -> Int {
        guard let text = text(key) else { return range.lowerBound }
        if let number = Int(text), range.contains(number) { return number }
        problem(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound), not \(text)")
        return range.lowerBound
    }

    /// A length of time.
    mutating func duration(_ key: SettingsKey, in range: ClosedRange<Double>) -> Duration {
        guard let text = text(key) else { return .seconds(range.lowerBound) }
        if let seconds = DurationText.seconds(text), range.contains(seconds) { return .seconds(seconds) }
        let (least, most) = (DurationText.text(range.lowerBound), DurationText.text(range.upperBound))
        problem(
            key,
            "must be a number of seconds, or a time such as 90s, 15m, 12h or 30d, from \(least) to \(most), not \(text)"
        )
        return .seconds(range.lowerBound)
    }

    /// A number a second; `nil` where it is not set.
    mutating func rate(_ key: SettingsKey, in range: ClosedRange<Double>) -> Double? {
        guard let text = text(key) else { return nil }
        if let number = Double(text), range.contains(number) { return number }
        problem(key, "must be a number from \(range.lowerBound) to \(range.upperBound), not \(text)")
        return nil
    }

    /// One of some words.
    mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ key: SettingsKey,
        of type: Value.Type
    ) -> Value? {
        guard let text = text(key) else { return nil }
        if let value = Value(rawValue: text) { return value }
        problem(key, "must be \(Value.allCases.map(\.rawValue).joined(separator: " or ")), not \(text)")
        return nil
    }

    /// Yes or no, in the words of YAML.
    mutating func flag(_ key: SettingsKey) -> Bool {
        guard let text = text(key) else { return false }
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default:
            problem(key, "must be true or false, not \(text)")
            return false
        }
    }
}
