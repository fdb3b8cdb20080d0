import Foundation
import Logging
import Testing

@testable import koobatch

@Suite("A line of the log")
struct LogLineTests {
    private static let hostile: [String] = [
        "plain", "", "two words", "a=b", "quote \" and \\ backslash", "line\nbreak\r\n", "tab\t", "esc \u{1B}[31mred",
        "null \u{0}", "del \u{7F} c1 \u{9B}31m", "separator \u{2028}\u{2029}", "turn \u{202E}around\u{2066}",
        "mark \u{FEFF}", "größe 数 👩‍👩‍👧", "{\"json\":1}", "\u{FFFD}", "<script>", "'",
    ]

    private func line(_ value: String, key: String = "error.message") -> LogLine {
        LogLine(level: .warning, message: value, metadata: ["\(key)": "\(value)", "chunk.id": "7"])
    }

    @Test("is one JSON object whatever is in it, and loses nothing", arguments: hostile)
    func json(value: String) throws {
        let json = line(value).json(at: "2026-12-01T08:00:00.000Z")
        #expect(!json.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x2028 })
        let object = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        #expect(
            object == [
                "time": "2026-12-01T08:00:00.000Z", "level": "warning", "message": value, "error.message": value,
                "chunk.id": "7",
            ]
        )
    }

    @Test("is one line of text, in the journal and on a terminal, with nothing that steers it", arguments: hostile)
    func text(value: String) {
        for text in [line(value).journal, line(value).text(at: "now")] {
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
            #expect(!text.unicodeScalars.contains { [0x2028, 0x2029, 0x202E, 0x2066].contains($0.value) })
        }
    }

    @Test(
        "has the priority of the journal",
        arguments: zip(Logger.Level.allCases, [7, 7, 6, 5, 4, 3, 2])
    )
    func priorities(level: Logger.Level, priority: Int) {
        let line = LogLine(
            level: level,
            message: "Chunk submitted",
            metadata: ["task.id": "t1", "error.message": "no way"]
        )
        #expect(line.journal == "<\(priority)>Chunk submitted error.message=\"no way\" task.id=t1")
        #expect(line.text(at: "T") == "T \(level.rawValue) Chunk submitted error.message=\"no way\" task.id=t1")
    }

    @Test("quotes values so that they can be told apart")
    func quoting() {
        let line = LogLine(level: .info, message: "M", metadata: ["a": "", "b": "x=\"1\" c=2", "c": "\\", "d": "a\nb"])
        #expect(line.journal == #"<6>M a="" b="x=\"1\" c=2" c="\\" d="a\nb""#)
    }

    @Test("keeps its own keys to itself", arguments: ["time", "level", "message"])
    func ownKeys(key: String) throws {
        let json = LogLine(level: .info, message: "M", metadata: ["\(key)": "mine"]).json(at: "T")
        let object = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        #expect(object == ["time": "T", "level": "info", "message": "M", "metadata.\(key)": "mine"])
    }
}
