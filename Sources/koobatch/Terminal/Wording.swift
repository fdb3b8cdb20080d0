import KoobatchCore
import KoobatchStore

// How numbers, times and states read in sentences and tables.

extension Int {
    /// The digits in groups of three: 1,000,000.
    var grouped: String {
        let digits = Array("\(magnitude)")
        return digits.indices.reduce(into: self < 0 ? "-" : "") { text, index in
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digits[index])
        }
    }

    /// The number and the word for so many.
    func of(_ one: String, _ several: String? = nil) -> String {
        "\(grouped) \(self == 1 ? one : several ?? one + "s")"
    }
}

extension Duration {
    /// A length of time for people: 0.4s, 12s, 2m 05s, 3h 07m, 2d 04h.
    var brief: String {
        let tenths = max(0, wholeMilliseconds + 50) / 100
        if tenths < 100 { return "\(tenths / 10).\(tenths % 10)s" }
        let seconds = (tenths + 5) / 10
        func pair(_ large: Int64, _ largeUnit: String, _ small: Int64, _ smallUnit: String) -> String {
            "\(large)\(largeUnit) \(small < 10 ? "0" : "")\(small)\(smallUnit)"
        }
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3_600: return pair(seconds / 60, "m", seconds % 60, "s")
        case ..<86_400: return pair(seconds / 3_600, "h", seconds / 60 % 60, "m")
        default: return pair(seconds / 86_400, "d", seconds / 3_600 % 24, "h")
        }
    }
}

extension Timestamp {
    /// The time in UTC to the second, without its zone: 2026-12-01 08:00:00.
    var brief: String {
        String(description.prefix(19).replacing("T", with: " "))
    }
}

extension CommandJobState {
    var style: Span.Style {
        switch self {
        case .succeeded: .green
        case .failed: .red
        case .partial, .paused: .yellow
        case .queued, .running, .submitted: .cyan
        case .cancelled, .expired: .dim
        }
    }
}

extension InstanceState {
    var style: Span.Style {
        switch self {
        case .succeeded: .green
        case .failed, .rejected: .red
        case .unknown: .yellow
        case .pending, .submitted: .cyan
        case .cancelled: .dim
        }
    }
}

extension JobStatus {
    /// How long it has taken from its start to its end, or until now.
    func duration(until now: Timestamp) -> Duration? {
        startedAt.map { max(.zero, (finishedAt ?? now) - $0) }
    }

    /// The row of `job_status` as an object with its names.
    var json: JSONValue {
        .object(members)
    }

    /// The names and values of the row.
    var members: [(String, JSONValue)] {
        let head: [(String, JSONValue)] = [
            ("id", .whole(id.rawValue)),
            ("label", .optional(label)),
            ("command", .text(command)),
            ("state", .text(state.rawValue)),
            ("state_reason", .optional(stateReason)),
            ("total", .count(total)),
        ]
        let tail: [(String, JSONValue)] = [
            ("percent_done", .number(percentDone)),
            ("created_at", .text("\(createdAt)")),
            ("started_at", .optional(startedAt?.description)),
            ("finished_at", .optional(finishedAt?.description)),
            ("eta", .optional(eta?.description)),
        ]
        return head + InstanceState.allCases.map { ($0.rawValue, .count(self[$0])) } + tail
    }
}
