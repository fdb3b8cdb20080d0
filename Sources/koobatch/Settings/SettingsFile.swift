import Configuration
import Foundation
import Yams

/// A configuration file: its values, and the line of each key.
struct SettingsFile: Sendable {
    /// Where it is, for messages.
    let path: String
    /// The line of each key that has a value.
    let lines: [String: Int]
    private let emptyKeys: Set<String>
    private let snapshot: YAMLSnapshot?

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: of the file.
    ///   - mayBeMissing: whether a file that is not there counts as an empty one.
    /// - Throws: `SettingsProblems` when it cannot be read or is no YAML.
    init(path: String, mayBeMissing: Bool) throws {
        self.path = path
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile && mayBeMissing {
            (lines, emptyKeys, snapshot) = ([:], [], nil)
            return
        } catch {
            throw SettingsProblems(whole: path, "cannot be read: \(Self.reason(error, path))")
        }
        do {
            guard let root = try Yams.compose(yaml: String(decoding: data, as: UTF8.self)), root.null == nil else {
                (lines, emptyKeys, snapshot) = ([:], [], nil)
                return
            }
            (lines, emptyKeys) = try Self.keys(of: root)
            snapshot = try YAMLSnapshot(data: data.bytes, providerName: path, parsingOptions: .default)
        } catch let error as RepeatedKey {
            throw SettingsProblems([
                .init(place: path, line: error.line, key: error.name, rule: "the key is there twice")
            ])
        } catch let error as YamlError {
            throw SettingsProblems([Self.problem(error, path)])
        } catch {
            // What the library says may hold values of the file.
            throw SettingsProblems(whole: path, "is not the YAML that is expected: a mapping of keys to values")
        }
    }

    /// A file that says nothing.
    static func empty(_ path: String) -> SettingsFile {
        SettingsFile(path: path)
    }

    private init(path: String) {
        (self.path, lines, emptyKeys, snapshot) = (path, [:], [], nil)
    }

    /// The text of a key's value; `nil` if it has none, or an empty one.
    ///
    /// - Throws: when the value is not a single one.
    func text(_ name: String) throws -> String? {
        guard let snapshot, lines[name] != nil, !isEmpty(name) else { return nil }
        let value = try snapshot.value(forKey: AbsoluteConfigKey(ConfigKey(name)), type: .string).value
        guard case .string(let text) = value?.content, !text.isEmpty else { return nil }
        return text
    }

    /// Whether a key is there without a value, as that of a section is whose keys are all commented out.
    func isEmpty(_ name: String) -> Bool {
        emptyKeys.contains(name)
    }

    /// A key that is there as `submit.timeout` and as `timeout` below `submit`.
    private struct RepeatedKey: Error {
        let name: String
        let line: Int
    }

    private static func keys(of root: Node) throws -> (lines: [String: Int], empty: Set<String>) {
        var lines: [String: Int] = [:]
        var empty: Set<String> = []
        func collect(_ node: Node, path: [String]) throws {
            for (key, value) in node.mapping.map(Array.init) ?? [] {
                guard let part = key.string else { continue }
                let path = path + [part]
                if value.mapping != nil {
                    try collect(value, path: path)
                } else {
                    let (name, line) = (path.joined(separator: "."), key.mark?.line ?? 0)
                    if lines.updateValue(line, forKey: name) != nil { throw RepeatedKey(name: name, line: line) }
                    if value.null != nil { empty.insert(name) }
                }
            }
        }
        try collect(root, path: [])
        return (lines, empty)
    }

    /// The error without what Yams puts beside it: the text of the file, in which there may be a secret.
    private static func problem(_ error: YamlError, _ path: String) -> SettingsProblems.Problem {
        let rule = "is not the YAML that is expected"
        switch error {
        case .duplicatedKeysInMapping(let names, let context):
            return .init(
                place: path,
                line: context.mark.line,
                key: names.first.map { String($0.prefix(40)) },
                rule: "\(rule): the key is there twice"
            )
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return .init(place: path, line: mark.line, key: nil, rule: "\(rule): \(problem)")
        case .reader(let problem, _, _, _):
            return .init(place: path, key: nil, rule: "\(rule): \(problem)")
        default:
            return .init(place: path, key: nil, rule: rule)
        }
    }

    private static func reason(_ error: any Error, _ path: String) -> String {
        if access(path, R_OK) != 0 { return String(cString: strerror(errno)) }
        var facts = stat()
        let isDirectory = stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
        return isDirectory ? String(cString: strerror(EISDIR)) : error.localizedDescription
    }
}
