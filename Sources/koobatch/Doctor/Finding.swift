/// One thing that the doctor looked at.
struct Finding: Encodable, Hashable {
    enum Level: String, Encodable {
        case ok
        case warning
        case problem
    }

    let level: Level
    /// What was looked at, in a word.
    let check: String
    /// What was found.
    let message: String
    /// What to do; `nil` where nothing is to be done.
    let advice: String?

    static func ok(_ check: String, _ message: String) -> Finding {
        Finding(level: .ok, check: check, message: message, advice: nil)
    }

    static func warning(_ check: String, _ message: String, advice: String) -> Finding {
        Finding(level: .warning, check: check, message: message, advice: advice)
    }

    static func problem(_ check: String, _ message: String, advice: String) -> Finding {
        Finding(level: .problem, check: check, message: message, advice: advice)
    }

    /// Whether the credentials have a problem.
    var isOfCredentials: Bool { check == "credentials" && level == .problem }

    /// The lines for people, the advice in lines of the width of a terminal.
    func text(width: Int?) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        let head = padded(level.rawValue, 9) + padded(check, 15) + message
        guard let advice else { return head }
        let margin = 24
        let lines = width.map { advice.wrapped(to: max(TableLayout.narrowest, $0 - margin)) } ?? [advice]
        return ([head] + lines.map { String(repeating: " ", count: margin) + $0 }).joined(separator: "\n")
    }
}

/// A thing to look at.
protocol DoctorCheck {
    /// Looks, changes nothing, and does not throw: what keeps it from looking is a finding.
    func findings() async -> [Finding]
}
