import ArgumentParser
import Foundation

/// Reads lists of instances: one id a line, a column of a CSV file, or JSON.
struct InstanceListParser {
    /// How a list is written.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        /// One id a line; blank lines and lines that begin with `#` do not count.
        case lines
        /// RFC 4180 with a header line; the separator may be `;` or a tab as well.
        case csv
        /// An array of strings, or of objects; or an object a line.
        case json
    }

    /// Names of the column, or of the member of JSON objects, where none is given.
    static let usualNames = ["instance_id", "id"]

    private static let blank: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]

    /// `nil` is recognised from the content.
    var format: Format?
    /// Whether it is called a CSV file.
    var isNamedCSV = false
    /// The CSV column, or the member of JSON objects, that holds the ids.
    var column: String?

    /// Reads a list, UTF-8 with or without a byte order mark and with any line ends.
    func parse(_ bytes: [UInt8]) throws(InstanceListError) -> InstanceList {
        let marks: [[UInt8]] = [[0xFF, 0xFE], [0xFE, 0xFF]]
        if marks.contains(where: bytes.starts) { throw InstanceListError("this is UTF-16; save it as UTF-8") }
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        try checkText(text)
        let list =
            switch format ?? recognisedFormat(of: text) {
            case .lines: try lines(text)
            case .csv: try CSVColumn(name: column, mayBeFirst: format == .csv).parse(text)
            case .json: try json(text)
            }
        if list.ids.isEmpty { throw InstanceListError("there is no instance in it") }
        return list
    }

    private func checkText(_ bytes: ArraySlice<UInt8>) throws(InstanceListError) {
        func line(of index: Int) -> Int { bytes[..<index].count { $0 == UInt8(ascii: "\n") } + 1 }
        if let index = bytes.firstIndex(of: 0) {
            throw InstanceListError(.line, line(of: index), "there is a NUL byte; this is no text")
        }
        if String(validating: bytes, as: UTF8.self) != nil { return }
        var start = bytes.startIndex
        for part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if String(validating: part, as: UTF8.self) == nil { break }
            start = part.endIndex + 1
        }
        throw InstanceListError(.line, line(of: min(start, bytes.endIndex)), "this is not UTF-8")
    }

    private func recognisedFormat(of bytes: ArraySlice<UInt8>) -> Format {
        switch bytes.first(where: { !Self.blank.contains($0) }) {
        case UInt8(ascii: "["), UInt8(ascii: "{"): return .json
        default: break
        }
        if column != nil || isNamedCSV { return .csv }
        let first = bytes.split(maxSplits: 1_000, whereSeparator: { $0 == 0x0A || $0 == 0x0D })
            .lazy.map(trimmed).first { !$0.isEmpty && $0.first != UInt8(ascii: "#") }
        guard let first else { return .lines }
        if first.contains(where: (CSVColumn.separators + [UInt8(ascii: "\"")]).contains) { return .csv }
        return Self.usualNames.contains(String(decoding: first, as: UTF8.self).lowercased()) ? .csv : .lines
    }

    private func lines(_ bytes: ArraySlice<UInt8>) throws(InstanceListError) -> InstanceList {
        var list = InstanceList(unit: .line)
        var number = 0
        var rest = bytes
        while !rest.isEmpty {
            number += 1
            let end = rest.firstIndex { $0 == 0x0A || $0 == 0x0D } ?? rest.endIndex
            let line = trimmed(rest[..<end])
            let isCRLF = end + 1 < rest.endIndex && rest[end] == 0x0D && rest[end + 1] == 0x0A
            rest = rest[min(end + (isCRLF ? 2 : 1), rest.endIndex)...]
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            try list.add(String(decoding: line, as: UTF8.self), at: number)
        }
        return list
    }

    private func json(_ bytes: ArraySlice<UInt8>) throws(InstanceListError) -> InstanceList {
        if bytes.first(where: { !Self.blank.contains($0) }) == UInt8(ascii: "{") { return try jsonLines(bytes) }
        guard let elements = try Self.value(of: bytes) as? [Any] else {
            throw InstanceListError(
                "JSON must be an array of strings, or of objects with instance_id, or such an object a line"
            )
        }
        var list = InstanceList(unit: .element)
        for (index, element) in elements.enumerated() { try add(element, at: index + 1, to: &list) }
        return list
    }

    /// An object a line, as `koobatch results --format jsonl` prints them; blank lines do not count.
    private func jsonLines(_ bytes: ArraySlice<UInt8>) throws(InstanceListError) -> InstanceList {
        var list = InstanceList(unit: .line)
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.contains(where: { !Self.blank.contains($0) }) {
            let element: Any
            do {
                element = try Self.value(of: line)
            } catch {
                throw InstanceListError(.line, index + 1, error.description)
            }
            guard element is [String: Any] else { throw InstanceListError(.line, index + 1, "must be a JSON object") }
            try add(element, at: index + 1, to: &list)
        }
        return list
    }

    private static func value(of bytes: ArraySlice<UInt8>) throws(InstanceListError) -> Any {
        do {
            return try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
        } catch {
            let reason = (error as NSError).userInfo["NSDebugDescription"].map { "\($0)" } ?? "\(error)"
            throw InstanceListError("this is not valid JSON: \(reason.visible)")
        }
    }

    private func add(_ element: Any, at position: Int, to list: inout InstanceList) throws(InstanceListError) {
        let names = column.map { [$0] } ?? Self.usualNames
        let object = element as? [String: Any]
        let member: Any? = if let object { names.lazy.compactMap { object[$0] }.first } else { element }
        guard let id = member as? String, !id.isEmpty else {
            let rule = object == nil ? "must be a string" : "must have a string as \(names.joined(separator: " or "))"
            throw InstanceListError(list.unit, position, rule)
        }
        try list.add(id, at: position)
    }

    private func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0B || byte == 0x0C }
        let start = bytes.firstIndex { !isBlank($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
        return bytes[start..<end]
    }
}
