import KoobatchCore

/// A length of time as people write it: `90`, `90s`, `15m`, `12h`, `30d` or `30 days`; without a unit it is seconds.
enum DurationText {
    private static let units: [(names: [String], seconds: Double)] = [
        (["", "s", "sec", "second", "seconds"], 1),
        (["ms", "millisecond", "milliseconds"], 0.001),
        (["m", "min", "minute", "minutes"], 60),
        (["h", "hour", "hours"], 3_600),
        (["d", "day", "days"], 86_400),
        (["w", "week", "weeks"], 604_800),
    ]

    /// The seconds that a text means; `nil` if it means none.
    static func seconds(_ text: String) -> Double? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).trimmingPrefix(" ").lowercased()
        guard let value = Double(number), let factor = units.first(where: { $0.names.contains(unit) })?.seconds
        else { return nil }
        return value * factor
    }

    /// The seconds that a text with a unit means; `nil` if it means none, or has no unit.
    static func secondsWithUnit(_ text: String) -> Double? {
        text.contains(where: \.isLetter) ? seconds(text) : nil
    }

    /// Seconds as people would write them, in the largest unit that divides them.
    static func text(_ seconds: Double) -> String {
        for (unit, size) in [("d", 86_400.0), ("h", 3_600), ("m", 60)]
        where seconds >= size && seconds.truncatingRemainder(dividingBy: size) == 0 {
            return "\(Int(seconds / size))\(unit)"
        }
        return seconds.rounded() == seconds ? "\(Int(seconds))s" : "\(seconds)s"
    }
}
