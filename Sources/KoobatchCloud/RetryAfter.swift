import KoobatchCore

/// The header `Retry-After`, RFC 9110 section 10.2.3.
enum RetryAfter {
    private static let longest = Duration.seconds(3_600)
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// How long to wait: seconds, or the time to a date (only the preferred form of dates is read), within an hour.
    static func duration(_ value: String, now: Timestamp) -> Duration? {
        let text = value.trimmingPrefix { $0 == " " || $0 == "\t" }
        if !text.isEmpty, text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) {
            return Int64(text).map { min(.seconds(min($0, 3_600)), longest) } ?? longest
        }
        return date(text).map { min(max($0 - now, .zero), longest) }
    }

    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func date(_ text: some StringProtocol) -> Timestamp? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[0].utf8.count == 4, parts[0].hasSuffix(","), parts[5] == "GMT",
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        let twoDigits = (month < 9 ? "0" : "") + String(month + 1)
        return Timestamp("\(parts[3])-\(twoDigits)-\(parts[1])T\(parts[4]).000Z")
    }
}
