import TestSupport
import Testing

@testable import koobatch

@Suite
struct InstanceListTests {
    private static func parse(
        _ text: String,
        format: InstanceListParser.Format? = nil,
        column: String? = nil
    ) throws -> InstanceList {
        try InstanceListParser(format: format, column: column).parse(Array(text.utf8))
    }

    @Test(arguments: [
        "a\nb\nc\n", "a\nb\nc", "a\r\nb\r\nc\r\n", "a\rb\rc\r", "\u{FEFF}a\nb\nc\n", "\n  a \n\n# b\n#\n\tb\t\n\n c",
        "instance_id\na\nb\nc\n", "ID\r\na\r\nb\r\nc\r\n", "name,id\nx,a\ny,b\nz,c\n",
        "\u{FEFF}id;name\r\na;x\r\nb;y\r\nc;z\r\n",
        "name\tinstance_id\nx\ta\ny\tb\nz\tc", "\"id\"\n\"a\"\n\"b\"\n\"c\"\n",
        "owner,id\n\"x,\"\"y\"\"\",a\n\"two\nlines\", b \n,c\n\n", #"["a","b","c"]"#, " \n[ \"a\",\n\"b\",\"c\" ]\n",
        "{\"instance_id\":\"a\",\"output\":\"x\\n\"}\n\n{\"id\":\"b\"}\r\n{\"instance_id\":\"c\"}",
        #"[{"instance_id":"a"},{"id":"b","x":[1]},{"instance_id":"c","id":"z"}]"#, #"["a","\u0062",{"id":"c"}]"#,
    ])
    func `the form is recognised`(text: String) throws {
        #expect(try Self.parse(text).ids == ["a", "b", "c"])
    }

    @Test(
        arguments: [
            ("a,b\n1,2\n", nil, "B", ["2"]),
            ("a\n1\n", nil, "a", ["1"]),
            (#"[{"phone":"1"}]"#, nil, "phone", ["1"]),
            ("id\nx\n", .lines, nil, ["id", "x"]),
            ("x\ny\n", .csv, nil, ["y"]),
            ("phone,owner\na,x\nb,y\n", .csv, nil, ["a", "b"]),
            ("a,b\n", .lines, nil, ["a,b"]),
        ] as [(String, InstanceListParser.Format?, String?, [String])]
    )
    func `a flag overrides what would be recognised`(
        text: String,
        format: InstanceListParser.Format?,
        column: String?,
        expected: [String]
    ) throws {
        #expect(try Self.parse(text, format: format, column: column).ids == expected)
    }

    @Test(arguments: [
        ("", "there is no instance in it"),
        ("# none\n\n", "there is no instance in it"),
        ("id,name\n", "there is no instance in it"),
        ("[]", "there is no instance in it"),
        ("a\nb\0\n", "line 2: there is a NUL byte; this is no text"),
        ("a\nb\u{1B}\n", strange("line 2", #"b\u{1b}"#, "U+001B (control character)")),
        ("a\r\nb\u{200B}\r\n", strange("line 2", #"b\u{200b}"#, "U+200B (zero width space)")),
        ("a\n\u{FEFF}b\n", strange("line 2", #"\u{feff}b"#, "U+FEFF (byte order mark)")),
        ("\u{FEFF}id\r\n\u{A0}a\r\n", strange("line 2", "\u{A0}a", "U+00A0 (no-break space)")),
        ("caf\u{E9}", strange("line 1", "caf\u{E9}", "U+00E9 (latin small letter e with acute)")),
        ("cafe\u{301}", strange("line 1", "cafe\u{301}", "U+0301 (combining acute accent)")),
        ("p\u{430}", strange("line 1", "p\u{430}", "U+0430 (cyrillic small letter a)")),
        ("a b", strange("line 1", "a b", "U+0020 (space)")),
        ("[\"a\",\"b\\\"c\"]", strange("element 2", "b\"c", "U+0022 (quotation mark)")),
        (#"["a\\b"]"#, strange("element 1", #"a\b"#, "U+005C (reverse solidus)")),
        (
            "a\n\n" + String(repeating: "x", count: 33),
            "line 3: an instance id has at most 32 characters, not \"\(String(repeating: "x", count: 32))…\""
        ),
        ("id,name\na,x\n,y\n", "line 3: column 1 is empty"),
        ("id,name\n\"a,x\nb,y\n", "line 2: the quote of a field is not closed"),
        ("id,name\n\"a\"b,x\n", "line 2: there is text after the closing quote of a field"),
        ("\"a\"", nameless("a")),
        ("p1,eu\np2,us\np3,eu\n", nameless("p1, eu")),
        ("a1,b2,c3", nameless("a1, b2, c3")),
        ("phone;owner\na;x\n", nameless("phone, owner")),
        ("{\"name\":\"a\"}", "line 1: must have a string as instance_id or id"),
        ("{\"id\":\"a\"}\n\n[\"b\"]\n", "line 3: must be a JSON object"),
        ("[\"a\",7]", "element 2: must be a string"),
        ("[\"a\",\"\"]", "element 2: must be a string"),
        ("[{\"name\":\"a\"}]", "element 1: must have a string as instance_id or id"),
        (#"["a\u0000b"]"#, strange("element 1", #"a\u{0}b"#, "U+0000 (control character)")),
    ])
    func `what cannot be a list is refused with its place`(text: String, message: String) {
        #expect(throws: InstanceListError(message)) { try Self.parse(text) }
    }

    @Test func `ids that are typed are held against the same rule`() throws {
        let parser = InstanceListParser()
        #expect(try InstanceSource.typed(["a, b", "c\t,"]).read(with: parser).ids == ["a", "b", "c"])
        #expect(throws: InstanceListError(Self.strange("element 2", "b\u{A0}", "U+00A0 (no-break space)"))) {
            try InstanceSource.typed(["a, b\u{A0}"]).read(with: parser)
        }
    }

    private static func strange(_ place: String, _ id: String, _ character: String) -> String {
        "\(place): \"\(id)\" holds \(character); an instance id is of visible ASCII characters, without space, \" and \\"
    }

    private static func nameless(_ line: String) -> String {
        "no column of the first line (\(line)) is called instance_id or id; say which column has the ids with"
            + " --column, or that there is no header line with --input-format lines"
    }

    @Test func `a file that is called CSV has a header line`() throws {
        func parse(_ text: String, column: String? = nil) throws -> [String] {
            var parser = InstanceListParser(column: column)
            parser.isNamedCSV = true
            return try parser.parse(Array(text.utf8)).ids
        }
        #expect(throws: InstanceListError(Self.nameless("phone"))) { try parse("phone\na\n") }
        #expect(try parse("phone\na\n", column: "phone") == ["a"])
        #expect(try parse("id\na\n") == ["a"])
        #expect(try parse("[\"a\"]") == ["a"])
    }

    @Test func `the column that was taken is known`() throws {
        #expect(try Self.parse("phone,id\nx,a\n").column == "id")
        #expect(try Self.parse("phone,x\na,x\n", format: .csv).unique().column == "phone")
        #expect(try Self.parse("a\nb\n").column == nil)
    }

    @Test func `a column that is not there is refused with those that are`() {
        let expected = InstanceListError("there is no column phone; the header line has: id, name")
        #expect(throws: expected) { try Self.parse("id, name\na,b\n", column: "phone") }
    }

    @Test func `bytes that are no text are refused`() {
        let parser = InstanceListParser()
        #expect(throws: InstanceListError("this is UTF-16; save it as UTF-8")) {
            try parser.parse([0xFF, 0xFE, 0x61, 0])
        }
        #expect(throws: InstanceListError(.line, 3, "this is not UTF-8")) {
            try parser.parse(Array("a\nb\n".utf8) + [0x63, 0xE9, 0x0A, 0x64, 0x0A])
        }
    }

    @Test func `invalid JSON is refused as such`() {
        for text in ["[\"a\",", "[\"\\u129\r1\"]", "[\"\\\u{1B}[2J\"]"] {
            #expect { try Self.parse(text) } throws: { error in
                "\(error)".hasPrefix("this is not valid JSON: ")
                    && "\(error)".unicodeScalars.allSatisfy { $0.value >= 0x20 }
            }
        }
    }

    @Test func `repeated ids are named with their lines, or taken once`() throws {
        let list = try Self.parse("a\nb\na\n\nc\nb\na\nd\nd\ne\ne\nf\nf\ng\ng\n")
        let expected = InstanceListError(
            #"duplicate instances: "a" on lines 1 and 3, "b" on lines 2 and 6, "a" on lines 1 and 7, "#
                + #""d" on lines 8 and 9, "e" on lines 10 and 11, and 2 more; --unique ignores duplicates"#
        )
        #expect(throws: expected) { try list.checkDistinct() }
        #expect(list.unique().ids == ["a", "b", "c", "d", "e", "f", "g"])
        #expect(throws: Never.self) { try list.unique().checkDistinct() }
    }

    @Test func `a list of a hundred thousand comes back whole from every form`() throws {
        let ids = (0..<100_000).map { "phone-\($0)" }
        #expect(try Self.parse(ids.joined(separator: "\n")).ids == ids)
        #expect(try Self.parse("id,name\r\n" + ids.map { "\"\($0)\",x" }.joined(separator: "\r\n")).ids == ids)
        #expect(try Self.parse("[\"" + ids.joined(separator: "\",\"") + "\"]").ids == ids)
    }

    @Test(arguments: 0..<200)
    func `fields of any text come back from CSV`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("ab\",;\t\r\n'é中 ")
        let rows = (0..<5).map { row in
            let noise = String((0..<6).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
            return "\(CSVField.written(noise, isMarked: seed % 2 == 0)),id\(row)"
        }
        let text = (["noise,id"] + rows).joined(separator: ["\n", "\r\n"].randomElement(using: &generator) ?? "\n")
        #expect(
            try Self.parse(text).ids == ["id0", "id1", "id2", "id3", "id4"],
            "seed \(seed): \(text.debugDescription)"
        )
    }
}
