public import Foundation

/// A page of `etc/man`: the sections and what they list, for tests that hold the manual against the program.
///
/// A section is a `.SH` or `.SS`. It lists the bold words of the lines that follow `.TP`.
public struct ManualPage: Sendable {
    /// An entry of a list.
    public struct Entry: Sendable {
        /// What it explains: more than one where `.BR` has several.
        public let names: [String]
        /// What it says, without font macros.
        public let text: String
    }

    /// A heading with what is below it, up to the next heading.
    public struct Section: Sendable {
        /// The heading.
        public let title: String
        /// What it lists.
        public let entries: [Entry]
        /// Everything that it says outside of its list.
        public let text: String

        /// What it lists, by name.
        public var names: [String] { entries.flatMap(\.names) }
    }

    /// Everything in the order of the page; headings repeat, as `state` could.
    public let sections: [Section]

    /// Reads a page of this package.
    public init(_ name: String) throws {
        let url = Self.root.appending(path: "etc/man/\(name)")
        self.init(source: try String(contentsOf: url, encoding: .utf8))
    }

    /// The package.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    init(source: String) {
        var sections: [Section] = []
        var (title, entries, text) = ("", [Entry](), [String]())
        var (names, said) = ([String](), [String]())
        func closeEntry() {
            if !names.isEmpty { entries.append(Entry(names: names, text: said.joined(separator: " "))) }
            (names, said) = ([], [])
        }
        var isTag = false
        for line in source.split(separator: "\n") {
            let words = Self.words(line)
            switch words.first {
            case ".SH", ".SS":
                closeEntry()
                sections.append(Section(title: title, entries: entries, text: text.joined(separator: " ")))
                (title, entries, text) = (words.dropFirst().joined(separator: " "), [], [])
            case ".PP":
                closeEntry()
            case ".TP":
                closeEntry()
                isTag = true
            case _ where isTag:
                names = Self.bold(words)
                isTag = false
            default:
                let plain = Self.plain(words)
                if names.isEmpty { text.append(plain) } else { said.append(plain) }
            }
        }
        closeEntry()
        self.sections =
            sections.dropFirst() + [
                Section(title: title, entries: entries, text: text.joined(separator: " "))
            ]
    }

    /// The section of this heading.
    public func section(_ title: String) -> Section? {
        sections.first { $0.title == title }
    }

    /// The words of a line; what is in quotation marks is one.
    private static func words(_ line: Substring) -> [String] {
        guard line.hasPrefix(".") else { return [unescaped(line)] }
        return line.matches(of: /"([^"]*)"|(\S+)/).map { unescaped($0.output.1 ?? $0.output.2 ?? "") }
    }

    private static func unescaped(_ text: Substring) -> String {
        [(#"\-"#, "-"), (#"\(aq"#, "'"), (#"\(dq"#, "\""), (#"\fI"#, ""), (#"\fR"#, ""), (#"\e"#, "\\")].reduce(
            String(text)
        ) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    /// The words of a tag line that are bold.
    private static func bold(_ words: [String]) -> [String] {
        let arguments = words.dropFirst()
        guard words.first?.count == 3 else { return [arguments.joined(separator: " ")] }
        // .BR and .BI alternate between two fonts.
        return stride(from: arguments.startIndex, to: arguments.endIndex, by: 2).map { arguments[$0] }
    }

    private static func plain(_ words: [String]) -> String {
        switch words.first {
        case ".B", ".I": words.dropFirst().joined(separator: " ")
        case ".BR", ".BI", ".RB", ".IR", ".RI": words.dropFirst().joined()
        case .some(let word) where word.hasPrefix("."): ""
        default: words.joined(separator: " ")
        }
    }
}
