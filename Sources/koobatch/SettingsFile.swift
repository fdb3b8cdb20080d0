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
            (lines, emptyKeys) = Self.keys(of: root)
            snapshot = try YAMLSnapshot(data: data.bytes, providerName: path, parsingOptions: .default)
        } catch {
            throw SettingsProblems(whole: path, "is not the YAML that is expected: \(error)")
        }
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

    private static func keys(of root: Node) -> (lines: [String: Int], empty: Set<String>) {
        var lines: [String: Int] = [:]
        var empty: Set<String> = []
        func collect(_ node: Node, path: [String]) {
            for (key, value) in node.mapping.map(Array.init) ?? [] {
                guard let name = key.string else { continue }
                let path = path + [name]
                if value.mapping != nil {
                    collect(value, path: path)
                } else {
                    lines[path.joined(separator: ".")] = key.mark?.line ?? 0
                    if value.null != nil { empty.insert(path.joined(separator: ".")) }
                }
            }
        }
        collect(root, path: [])
        return (lines, empty)
    }

    private static func reason(_ error: any Error, _ path: String) -> String {
        access(path, R_OK) == 0 ? error.localizedDescription : String(cString: strerror(errno))
    }
}
