import Foundation
import TestSupport
import Testing

@testable import koobatch

@Suite("Lines that a descriptor does not take")
struct LogWriterTests {
    /// The reading end of a pipe.
    private struct Reader {
        private let descriptor: Int32
        private var rest = ""

        init(of ends: [Int32]) {
            descriptor = ends[0]
        }

        mutating func line() throws -> String {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                if let end = rest.firstIndex(of: "\n") {
                    defer { rest = String(rest[rest.index(after: end)...]) }
                    return String(rest[..<end])
                }
                let count = read(descriptor, &buffer, buffer.count)
                try #require(count > 0)
                rest += String(decoding: buffer[..<count], as: UTF8.self)
            }
        }
    }

    @Test("are dropped beyond the queue, and every one of them is counted", arguments: [1, 200, 5_000])
    func count(length: Int) throws {
        let ends = try Command.pipe()
        var reader = Reader(of: ends)
        let writer = LogWriter(descriptor: ends[1]) { "dropped \($0)" }
        let padding = String(repeating: "x", count: length)
        let sent = 50_000
        for number in 0..<sent { writer.write("\(number) \(padding)") }
        // Nobody reads: the wait is bounded.
        writer.flush(within: .milliseconds(50))

        var (received, dropped, last) = (0, 0, -1)
        while received + dropped < sent {
            let words = try reader.line().split(separator: " ")
            let number = try #require(words.last.flatMap { Int($0) } ?? words.first.flatMap { Int($0) })
            if words.first == "dropped" {
                dropped += number
            } else {
                #expect(number > last)
                (received, last) = (received + 1, number)
            }
        }
        #expect(received + dropped == sent)
        #expect(dropped > 0)
        #expect(received * (length + 3) < LogWriter.capacity * 2)

        writer.write("last")
        writer.flush(within: .seconds(10))
        #expect(try reader.line() == "last")
        for end in ends { close(end) }
    }

    @Test("are counted when it takes lines again", arguments: [3])
    func refused(lines: Int) throws {
        // A reader that goes away, and a new one in its place.
        let ends = try Command.pipe()
        close(ends[0])
        signal(SIGPIPE, SIG_IGN)
        let writer = LogWriter(descriptor: ends[1]) { "dropped \($0)" }
        for number in 0..<lines { writer.write("\(number)") }
        writer.flush(within: .seconds(10))
        let others = try Command.pipe()
        try #require(dup2(others[1], ends[1]) == ends[1])
        writer.write("again")
        writer.flush(within: .seconds(10))
        var reader = Reader(of: [others[0], ends[1]])
        #expect(try reader.line() == "dropped \(lines)")
        #expect(try reader.line() == "again")
        for end in [ends[1]] + others { close(end) }
    }
}
