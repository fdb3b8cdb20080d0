/// Reads one column of a CSV file (RFC 4180): the fields may be quoted and hold separators and line ends.
struct CSVColumn {
    /// The separators that are recognised from the header line.
    static let separators = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]

    /// The name in the header line; `nil` takes a usual name.
    let name: String?
    /// Whether the first column is taken where none has a usual name.
    ///
    /// Only of what is known to have a header line: elsewhere the first line may be instances.
    let mayBeFirst: Bool

    /// Reads the ids below the header line.
    func parse(_ bytes: ArraySlice<UInt8>) throws(InstanceListError) -> InstanceList {
        let firstLine = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        let counts = Self.separators.map { separator in firstLine.count { $0 == separator } }
        let separator = zip(Self.separators, counts).max { $0.1 < $1.1 || ($0.1 == $1.1 && $0.0 != 0x2C) }?.0
        var records = CSVRecords(rest: bytes, separator: separator ?? UInt8(ascii: ","))
        guard let header = try records.next() else { return InstanceList(unit: .line) }
        let index = try column(of: header.fields)
        var list = InstanceList(unit: .line)
        list.column = Self.trimmed(header.fields[index])
        while let record = try records.next() {
            let id = index < record.fields.count ? CSVField.unmarked(Self.trimmed(record.fields[index])) : ""
            if id.isEmpty { throw InstanceListError(.line, record.line, "column \(index + 1) is empty") }
            try list.add(id, at: record.line)
        }
        return list
    }

    private func column(of header: [String]) throws(InstanceListError) -> Int {
        let titles = header.map { Self.trimmed($0).lowercased() }
        if let name {
            if let index = titles.firstIndex(of: name.lowercased()) { return index }
            let known = header.map { Self.trimmed($0).visible }.joined(separator: ", ")
            throw InstanceListError("there is no column \(name); the header line has: \(known)")
        }
        if let usual = InstanceListParser.usualNames.lazy.compactMap({ titles.firstIndex(of: $0) }).first {
            return usual
        }
        if mayBeFirst { return 0 }
        let line = InstanceListError.shown(header.map(Self.trimmed).joined(separator: ", "))
        throw InstanceListError(
            "no column of the first line (\(line)) is called instance_id or id; say which column has the ids with"
                + " --column, or that there is no header line with --input-format lines"
        )
    }

    private static func trimmed(_ field: String) -> String {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        return String(field.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}

/// The records of a CSV file, one after another; blank lines do not count.
private struct CSVRecords {
    var rest: ArraySlice<UInt8>
    let separator: UInt8
    private var line = 1

    init(rest: ArraySlice<UInt8>, separator: UInt8) {
        self.rest = rest
        self.separator = separator
    }

    /// The next record and the line that it begins on.
    mutating func next() throws(InstanceListError) -> (line: Int, fields: [String])? {
        while let first = rest.first, first == 0x0A || first == 0x0D { endLine() }
        if rest.isEmpty { return nil }
        let start = line
        var fields: [String] = []
        while true {
            fields.append(try field(startLine: start))
            guard rest.first == separator else { break }
            rest.removeFirst()
        }
        if !rest.isEmpty { endLine() }
        return (start, fields)
    }

    private mutating func field(startLine: Int) throws(InstanceListError) -> String {
        guard rest.first == UInt8(ascii: "\"") else {
            let end = rest.firstIndex { $0 == separator || $0 == 0x0A || $0 == 0x0D } ?? rest.endIndex
            defer { rest = rest[end...] }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
        rest.removeFirst()
        var bytes: [UInt8] = []
        while let quote = rest.firstIndex(of: UInt8(ascii: "\"")) {
            bytes += rest[..<quote]
            rest = rest[(quote + 1)...]
            if rest.first != UInt8(ascii: "\"") {
                line += bytes.count { $0 == 0x0A }
                let end = rest.firstIndex { $0 == separator || $0 == 0x0A || $0 == 0x0D } ?? rest.endIndex
                guard rest[..<end].allSatisfy({ $0 == 0x20 }) else {
                    throw InstanceListError(.line, line, "there is text after the closing quote of a field")
                }
                rest = rest[end...]
                return String(decoding: bytes, as: UTF8.self)
            }
            bytes.append(UInt8(ascii: "\""))
            rest.removeFirst()
        }
        throw InstanceListError(.line, startLine, "the quote of a field is not closed")
    }

    private mutating func endLine() {
        let first = rest.removeFirst()
        if first == 0x0D, rest.first == 0x0A { rest.removeFirst() }
        line += 1
    }
}
