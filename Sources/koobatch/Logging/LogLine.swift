import Logging

/// One line of the log as text: for the journal, for a terminal, or as JSON.
///
/// A line is one line whatever is in it: what could end it, or steer a terminal, is escaped.
struct LogLine {
    let level: Logger.Level
    let message: String
    /// In the order in which they are written.
    let metadata: [(key: String, value: String)]

    init(level: Logger.Level, message: String, metadata: Logger.Metadata) {
        self.level = level
        self.message = message
        self.metadata = metadata.sorted { $0.key < $1.key }.map { (key: $0.key, value: "\($0.value)") }
    }

    /// For people: the time, the level, the message and `key=value` pairs.
    func text(at time: String) -> String {
        "\(time) \(level.rawValue) \(sentence)"
    }

    /// For the journal, which keeps the time: the syslog priority (`sd-daemon(3)`), the message and the pairs.
    var journal: String {
        "<\(priority)>\(sentence)"
    }

    /// One JSON object.
    ///
    /// Every value is a string. The keys `time`, `level` and `message` are the line's own.
    func json(at time: String) -> String {
        var text =
            "{\"time\":\(Self.literal(time)),\"level\":\"\(level.rawValue)\",\"message\":\(Self.literal(message))"
        for (key, value) in metadata {
            let isTaken = key == "time" || key == "level" || key == "message"
            text += ",\(Self.literal(isTaken ? "metadata.\(key)" : key)):\(Self.literal(value))"
        }
        return text + "}"
    }

    private var sentence: String {
        ([Self.escaped(message, quotes: false)] + metadata.map { "\($0.key)=\(Self.quoted($0.value))" })
            .joined(separator: " ")
    }

    private var priority: Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// A value that is one word stands as it is.
    private static func quoted(_ value: String) -> String {
        let isWord =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy {
                $0 != " " && $0 != "\"" && $0 != "\\" && $0 != "=" && !$0.needsEscape
            }
        return isWord ? value : "\"\(escaped(value, quotes: true))\""
    }

    private static func literal(_ text: String) -> String {
        "\"\(escaped(text, quotes: true))\""
    }

    /// Escapes as JSON does.
    ///
    /// Without quotes round it a text keeps its quotes and backslashes.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "\"" where quotes: result.append(contentsOf: "\\\"".unicodeScalars)
            case "\\" where quotes: result.append(contentsOf: "\\\\".unicodeScalars)
            case _ where scalar.needsEscape:
                let digits = String(scalar.value, radix: 16)
                let zeros = String(repeating: "0", count: max(0, 4 - digits.count))
                result.append(contentsOf: "\\u\(zeros)\(digits)".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}

extension Unicode.Scalar {
    /// Whether it controls a terminal, ends a line or turns the direction of what follows; all are below U+10000.
    fileprivate var needsEscape: Bool {
        switch value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
