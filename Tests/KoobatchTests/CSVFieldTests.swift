import TestSupport
import Testing

@testable import koobatch

@Suite
struct CSVFieldTests {
    @Test(arguments: [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-5", "'-5"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"),
        ("\r=1", "\"'\r=1\""), ("\n=1", "\"'\n=1\""), ("\u{FF1D}1", "'\u{FF1D}1"), ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
        ("'=1", "''=1"), ("'s", "'s"), ("'", "'"), ("", ""), ("a=1", "a=1"), ("2026-01-01", "2026-01-01"),
        (" =1", " =1"),
        ("=\u{301}1", "'=\u{301}1"),
    ])
    func `what a spreadsheet takes for a formula is marked`(text: String, field: String) {
        #expect(CSVField.written(text, isMarked: true) == field)
    }

    @Test(arguments: ["=1+1", "-5", "'=1", "@x"])
    func `nothing is marked where it is not asked for`(text: String) {
        #expect(CSVField.written(text, isMarked: false) == text)
    }

    @Test(arguments: ["=a", "-a", "'-a", "''@a", "'a", "a", "+", "''", "a'"])
    func `an id that was marked comes back`(id: String) throws {
        let text = "output,instance_id\r\nx,\(CSVField.written(id, isMarked: true))\r\n"
        #expect(try InstanceListParser().parse(Array(text.utf8)).ids == [id])
    }
}
