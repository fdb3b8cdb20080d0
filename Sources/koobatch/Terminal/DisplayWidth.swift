extension StringProtocol {
    /// The columns that the text takes on a terminal; two for a character that is wide in East Asia.
    var columns: Int {
        utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + $1.columns }
    }
}

extension String {
    /// The text, or as much of it as fits with a mark for the rest.
    func cut(to room: Int, ellipsis: String) -> String {
        if columns <= room { return self }
        var left = room - ellipsis.columns
        if left < 0 { return "" }
        var text = ""
        for character in self {
            left -= character.columns
            if left < 0 { break }
            text.append(character)
        }
        return text + ellipsis
    }

    /// The text in lines of at most so many columns, broken at spaces where there are some.
    func wrapped(to room: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in split(separator: " ") {
            if !line.isEmpty, line.columns + 1 + word.columns <= room {
                line += " " + word
                continue
            }
            if !line.isEmpty { lines.append(line) }
            line = ""
            for character in word {
                if !line.isEmpty, line.columns + character.columns > room {
                    lines.append(line)
                    line = ""
                }
                line.append(character)
            }
        }
        return lines + (line.isEmpty && !lines.isEmpty ? [] : [line])
    }

    /// The text with everything that would move the cursor, hide or reorder text spelt out: `\n`, `\u{1b}`.
    var visible: String {
        if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return self }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.isInvisible {
                    text += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    /// Whether a terminal obeys it instead of showing it; joiners, which shape letters and emoji, are not meant.
    fileprivate var isInvisible: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        case .format: value != 0x200C && value != 0x200D
        default: false
        }
    }

    /// East Asian wide and full-width characters (https://www.unicode.org/reports/tr11/), in ranges.
    fileprivate var isWide: Bool {
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
            0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18AFF,
            0x1B000...0x1B2FF, 0x1F200...0x1F265, 0x20000...0x3FFFD:
            true
        default: properties.isEmojiPresentation
        }
    }

    fileprivate var takesNoColumn: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: true
        default: false
        }
    }
}

extension Character {
    /// The columns that a terminal gives the character.
    var columns: Int {
        // U+FE0F asks for the emoji of a character that is narrow by itself.
        if unicodeScalars.contains(where: { $0.isWide || $0.value == 0xFE0F }) { return 2 }
        return unicodeScalars.allSatisfy(\.takesNoColumn) ? 0 : 1
    }
}
