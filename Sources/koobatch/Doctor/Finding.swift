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

    /// The line for people.
    var line: String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        let head = padded(level.rawValue, 9) + padded(check, 15) + message
        guard let advice else { return head }
        return head + "\n" + String(repeating: " ", count: 24) + advice
    }
}

/// A thing to look at.
protocol DoctorCheck {
    /// Looks, changes nothing, and does not throw: what keeps it from looking is a finding.
    func findings() async -> [Finding]
}
