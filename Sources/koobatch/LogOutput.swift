import Foundation
import KoobatchCore
import KoobatchEngine
import Logging
import Synchronization

/// Writes log lines to stderr: with the priorities of the journal under systemd, as text on a terminal, else as JSON.
struct LogOutput: LogHandler {
    var metadata: Logger.Metadata = [:]
    private var ownLevel: Logger.Level?
    private let control: LogControl

    init(_ control: LogControl) {
        self.control = control
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? control.level }
        set { ownLevel = newValue }
    }

    /// The format that `auto` stands for here; any other as it is.
    ///
    /// systemd names the device and inode of a journal stream in the environment
    /// (https://www.freedesktop.org/software/systemd/man/systemd.exec.html#%24JOURNAL_STREAM).
    static func suitable(_ format: Settings.LogFormat) -> Settings.LogFormat {
        if format != .auto { return format }
        if ProcessInfo.processInfo.environment["JOURNAL_STREAM"] != nil { return .journal }
        return isatty(STDERR_FILENO) == 1 ? .text : .json
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let own = event.metadata { all.merge(own) { $1 } }
        let pairs = all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        let line: String
        switch control.format {
        case .auto, .text:
            line = "\(EngineTime.system.now) \(event.level.rawValue) \(Self.sentence("\(event.message)", pairs))"
        case .journal:
            line = "<\(Self.priority(of: event.level))>\(Self.sentence("\(event.message)", pairs))"
        case .json:
            line = Self.json(
                [
                    ("time", "\(EngineTime.system.now)"),
                    ("level", event.level.rawValue),
                    ("message", "\(event.message)"),
                ] + pairs
            )
        }
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    private static func sentence(_ message: String, _ pairs: [(String, String)]) -> String {
        ([message] + pairs.map { "\($0.0)=\(quoted($0.1))" }).joined(separator: " ")
            .replacingOccurrences(of: "\n", with: "\\n")
    }

    private static func quoted(_ value: String) -> String {
        value.contains(" ") || value.isEmpty ? "\"\(value.replacingOccurrences(of: "\"", with: "'"))\"" : value
    }

    private static func json(_ pairs: [(String, String)]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        func literal(_ text: String) -> String {
            do {
                return String(decoding: try encoder.encode(text), as: UTF8.self)
            } catch {
                return "\"\""
            }
        }
        return "{" + pairs.map { "\(literal($0.0)):\(literal($0.1))" }.joined(separator: ",") + "}"
    }

    /// The syslog priority (`sd-daemon(3)`).
    private static func priority(of level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
