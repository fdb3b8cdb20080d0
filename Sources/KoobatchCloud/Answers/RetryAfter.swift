import KoobatchCore

/// The header `Retry-After`, RFC 9110 section 10.2.3, as it comes in the wild.
enum RetryAfter {
    private static let longest = Duration.seconds(3_600)
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The longest wait that any of the headers asks for; `nil` if none can be read.
    ///
    /// - Parameters:
    ///   - values: the headers as they came.
    ///   - now: the clock of whoever wrote them.
    static func duration(_ values: [String], now: Timestamp) -> Duration? {
        values.compactMap { duration($0, now: now) }.max()
    }

    /// How long to wait, within an hour: seconds, a fraction of one rounded up, or the time to a date.
    ///
    /// What is neither, such as a negative number, says nothing.
    static func duration(_ value: String, now: Timestamp) -> Duration? {
        func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
        let text = String(value.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) }) {
            // What does not fit is more than the longest.
            guard let seconds = Int64(parts[0]), seconds < longest.components.seconds else { return longest }
            let hasFraction = parts.count > 1 && !parts[1].allSatisfy { $0 == "0" }
            return .seconds(hasFraction ? seconds + 1 : seconds)
        }
        return date(text).map { min(max($0 - now, .zero), longest) }
    }

    /// Reads a date in one of the three forms that a recipient has to accept: `Sun, 06 Nov 1994 08:49:37 GMT`,
    /// `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
    static func date(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ").map { String($0) }
        switch parts.count {
        case 6 where parts[0].utf8.count == 4 && parts[0].hasSuffix(",") && parts[5] == "GMT":
            return date(year: parts[3], month: parts[2], day: parts[1], time: parts[4])
        case 4 where parts[0].hasSuffix(",") && parts[3] == "GMT":
            let day = parts[1].split(separator: "-").map { String($0) }
            guard day.count == 3, day[2].utf8.count == 2, let year = Int(day[2]) else { return nil }
            // This form is of servers of the last century and of those that imitate them.
            return date(year: "\(year < 70 ? 2_000 + year : 1_900 + year)", month: day[1], day: day[0], time: parts[2])
        case 5 where parts[0].utf8.count == 3:
            let day = parts[2].utf8.count == 1 ? "0" + parts[2] : parts[2]
            return date(year: parts[4], month: parts[1], day: day, time: parts[3])
        default:
            return nil
        }
    }

    private static func date(year: String, month: String, day: String, time: String) -> Timestamp? {
        guard let month = months.firstIndex(of: month) else { return nil }
        let twoDigits = (month < 9 ? "0" : "") + String(month + 1)
        return Timestamp("\(year)-\(twoDigits)-\(day)T\(time).000Z")
    }
}
