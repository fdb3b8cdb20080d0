import Foundation
import Testing

@testable import koobatch

@Suite
struct TableTests {
    private static let plain = Terminal()

    private static func text(_ table: Table, _ terminal: Terminal) -> [String] {
        table.lines(for: terminal).map { terminal.text($0) }
    }

    private static var jobs: Table {
        var table = Table([.number("ID"), .fixed("STATE"), .text("LABEL"), .text("COMMAND"), .number("FAILED")])
        table.add([Span("7"), Span("running"), Span(""), Span("pm list packages"), Span("12")])
        table.add([Span("10"), Span("partial"), Span(""), Span("reboot"), Span("3")])
        return table
    }

    @Test func `numbers stand right, and a column that nobody fills is left out`() {
        #expect(
            Self.text(Self.jobs, Self.plain) == [
                "ID  STATE    COMMAND           FAILED",
                " 7  running  pm list packages      12",
                "10  partial  reboot                 3",
            ]
        )
    }

    @Test func `the widest column gives way to the width, and numbers stay whole`() {
        #expect(
            Self.text(Self.jobs, Terminal(width: 30)) == [
                "ID  STATE    COMMAND    FAILED",
                " 7  running  pm list …      12",
                "10  partial  reboot          3",
            ]
        )
    }

    @Test func `the columns that matter least are left out where there is no room, and the others stay whole`() {
        var table = Table([
            .number("ID"), .text("COMMAND"), .number("FAILED").sacrificed(1), .fixed("CREATED").sacrificed(2),
        ])
        table.add([Span("7"), Span("pm list packages"), Span("12"), Span("2130-01-02 03:04:05")])
        let widths = [
            60: "ID  COMMAND           FAILED  CREATED", 30: "ID  COMMAND           FAILED", 12: "ID  COMMAND",
        ]
        for (width, header) in widths { #expect(Self.text(table, Terminal(width: width)).first == header) }
        #expect(Self.text(table, Terminal(width: 30)).last == " 7  pm list packages      12")
    }

    @Test(arguments: 1...60)
    func `no line is wider than the terminal`(width: Int) {
        for line in Self.text(Self.jobs, Terminal(width: width)) { #expect(line.columns <= width) }
    }

    @Test func `sentences are wrapped in their column`() {
        var table = Table([.number("JOB"), .sentences("WHY"), .text("REQUEST")])
        table.add([Span("1"), Span("the daemon is not running"), Span("r1")])
        #expect(
            Self.text(table, Terminal(width: 26)) == [
                "JOB  WHY           REQUEST",
                "  1  the daemon    r1",
                "     is not",
                "     running",
            ]
        )
    }

    @Test func `wide characters count for two columns`() {
        var table = Table([.text("LABEL"), .number("N")])
        table.add([Span("夜间任务"), Span("1")])
        table.add([Span("nightly"), Span("2")])
        #expect(Self.text(table, Self.plain) == ["LABEL     N", "夜间任务  1", "nightly   2"])
    }

    @Test func `outputs cannot steer the terminal`() {
        var table = Table([.text("OUTPUT")])
        table.add([Span("a\nb\t\u{1B}[2Jc\u{7F}\u{85}\u{202E}\0")])
        #expect(Self.text(table, Self.plain)[1] == #"a\nb\t\u{1b}[2Jc\u{7f}\u{85}\u{202e}\u{0}"#)
    }

    @Test func `there are escape sequences with colours only`() {
        var table = Table([.text("STATE")])
        table.add([Span("failed", .red)])
        #expect(Self.text(table, Self.plain) == ["STATE", "failed"])
        #expect(
            Self.text(table, Terminal(isColoured: true)) == ["\u{1B}[1mSTATE\u{1B}[0m", "\u{1B}[31mfailed\u{1B}[0m"]
        )
    }

    @Test(arguments: [
        ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("中文", 4), ("ｱ", 1), ("Ａ", 2), ("한", 2), ("👍🏽", 2),
        ("⚠\u{FE0F}", 2),
        ("…", 1), ("a\u{200B}b", 2),
    ])
    func `a text takes its columns`(text: String, columns: Int) {
        #expect(text.columns == columns)
    }

    @Test(arguments: [
        ("abcdef", 6, "abcdef"), ("abcdef", 4, "abc…"), ("中文字", 5, "中文…"), ("中文字", 4, "中…"), ("ab", 1, "…"),
        ("ab", 0, ""),
    ])
    func `a text is cut to its room`(text: String, room: Int, expected: String) {
        #expect(text.cut(to: room, ellipsis: "…") == expected)
    }

    @Test(arguments: [
        ("", 5, [""]), ("one two", 7, ["one two"]), ("one two", 6, ["one", "two"]),
        ("abcdefgh i", 3, ["abc", "def", "gh", "i"]),
    ])
    func `a text is wrapped at spaces, and long words anywhere`(text: String, room: Int, expected: [String]) {
        #expect(text.wrapped(to: room) == expected)
    }

    @Test func `the environment says the width where there is no terminal, and the locale what can be read`() {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        let none = Terminal(descriptor: descriptor, environment: [:])
        #expect(none.width == nil)
        #expect(!none.isColoured && !none.isLive && !none.isUnicode)
        let given = Terminal(descriptor: descriptor, environment: ["COLUMNS": "66", "LANG": "C.UTF-8"])
        #expect(given.width == 66)
        #expect(given.isUnicode)
        #expect(!Terminal(descriptor: descriptor, environment: ["LANG": "C.UTF-8", "LC_ALL": "C"]).isUnicode)
    }
}
