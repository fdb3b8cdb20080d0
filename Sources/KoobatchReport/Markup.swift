/// HTML in which every text that was interpolated is escaped; only markup is taken as it is.
struct Markup: ExpressibleByStringInterpolation, Hashable {
    var html: String

    init(stringLiteral value: String) {
        html = value
    }

    init(stringInterpolation: StringInterpolation) {
        html = stringInterpolation.html
    }

    /// Some markup after another.
    init(_ parts: [Markup]) {
        html = parts.map(\.html).joined()
    }

    static let none: Markup = ""

    struct StringInterpolation: StringInterpolationProtocol {
        var html = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            html.reserveCapacity(literalCapacity + interpolationCount * 8)
        }

        mutating func appendLiteral(_ literal: String) {
            html += literal
        }

        mutating func appendInterpolation(_ text: String) {
            html += Markup.escaped(text)
        }

        mutating func appendInterpolation(_ number: Int) {
            html += "\(number)"
        }

        /// Rounded to a tenth, as coordinates are.
        mutating func appendInterpolation(_ number: Double) {
            html += Format.decimal(number, places: 1)
        }

        mutating func appendInterpolation(_ markup: Markup) {
            html += markup.html
        }

        mutating func appendInterpolation(_ parts: [Markup]) {
            for part in parts { html += part.html }
        }
    }

    /// A text for people from somewhere else: nothing in it can be markup, and what is invisible is shown.
    ///
    /// Control characters become their pictures (U+2400 and on), those that turn the direction of text and what no page
    /// may hold become U+FFFD.
    static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x26: result.append(contentsOf: "&amp;".unicodeScalars)
            case 0x3C: result.append(contentsOf: "&lt;".unicodeScalars)
            case 0x3E: result.append(contentsOf: "&gt;".unicodeScalars)
            case 0x22: result.append(contentsOf: "&quot;".unicodeScalars)
            case 0x27: result.append(contentsOf: "&#39;".unicodeScalars)
            case 0x09, 0x0A: result.append(scalar)
            case 0..<0x20: result.append(Unicode.Scalar(0x2400 + UInt16(scalar.value)) ?? "\u{FFFD}")
            case 0x7F: result.append("\u{2421}")
            case 0x80..<0xA0, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0xFDD0...0xFDEF:
                result.append("\u{FFFD}")
            case let value where value & 0xFFFE == 0xFFFE: result.append("\u{FFFD}")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}

extension [Markup] {
    /// As many as fit, one after another, and how many those are.
    func fitting(bytes: Int) -> (markup: Markup, count: Int) {
        var left = bytes
        var count = 0
        for part in self {
            left -= part.html.utf8.count
            if left < 0 { break }
            count += 1
        }
        return (Markup(Array(prefix(count))), count)
    }
}
