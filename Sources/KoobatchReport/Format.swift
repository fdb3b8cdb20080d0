import KoobatchCore

/// Numbers and times as people read them.
enum Format {
    /// A fixed number of decimals, without those that are zeros at the end.
    static func decimal(_ number: Double, places: Int) -> String {
        let factor = (0..<places).reduce(1.0) { result, _ in result * 10 }
        let scaled = (abs(number) * factor).rounded()
        guard scaled < 9e15 else { return "\(number)" }
        let whole = Int(scaled) / Int(factor)
        var fraction = "\(Int(scaled) % Int(factor))"
        fraction = String(repeating: "0", count: max(0, places - fraction.count)) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        let sign = number < 0 && scaled > 0 ? "-" : ""
        return sign + "\(whole)" + (fraction.isEmpty ? "" : ".\(fraction)")
    }

    /// With commas: 1,000,000.
    static func count(_ number: Int) -> String {
        var digits = "\(number.magnitude)"
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// `1 instance`, `2 instances`.
    static func count(_ number: Int, _ noun: String) -> String {
        "\(count(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    /// For an axis: 250k, 1.5M.
    static func short(_ number: Double) -> String {
        switch abs(number) {
        case 1e6...: decimal(number / 1e6, places: 2) + "M"
        case 1e4...: decimal(number / 1e3, places: 1) + "k"
        case 1e3...: count(Int(number))
        default: decimal(number, places: 2)
        }
    }

    /// Says neither 0% of something nor 100% of less than all.
    static func percent(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "0%" }
        let share = 100 * Double(part) / Double(whole)
        if part > 0, share < 0.1 { return "<0.1%" }
        if part < whole, share > 99.9 { return ">99.9%" }
        return decimal(share, places: 1) + "%"
    }

    /// The two largest units: `850 ms`, `4.2 s`, `3 min 12 s`, `2 d 5 h`.
    static func duration(_ seconds: Double) -> String {
        if seconds < 1 { return "\(Int((seconds * 1_000).rounded())) ms" }
        if seconds < 60 { return decimal(seconds, places: seconds < 10 ? 1 : 0) + " s" }
        let whole = Int(seconds.rounded())
        let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
        let first = units.firstIndex { whole >= $0.0 } ?? 3
        var text = "\(whole / units[first].0) \(units[first].1)"
        if first < 3 {
            let rest = whole % units[first].0 / units[first + 1].0
            if rest > 0 { text += " \(rest) \(units[first + 1].1)" }
        }
        return text
    }

    /// `2026-11-24 23:46:45`, which is UTC like every time of the page.
    static func time(_ time: Timestamp) -> Markup {
        let text = "\(time)"
        return
            "<time datetime=\"\(text)\">\(text.prefix(10).description) \(text.dropFirst(11).prefix(8).description)</time>"
    }

    /// The first characters of a text that may be long.
    static func beginning(_ text: String, _ length: Int) -> String {
        let scalars = text.unicodeScalars
        guard scalars.count > length else { return text }
        return String(scalars.prefix(length)) + "…"
    }
}
