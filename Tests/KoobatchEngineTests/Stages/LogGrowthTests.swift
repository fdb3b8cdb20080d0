import KoobatchStore
import TestSupport
import Testing

@testable import KoobatchEngine

@Suite("The growth of the write-ahead log")
struct LogGrowthTests {
    @Test("is told of, again when it has doubled, and when it is emptied")
    func logGrowth() {
        let log = LogRecorder()
        var growth = LogGrowth(logger: log.logger)
        for megabytes in [0, 20, 63, 64, 80, 127, 128, 300, 20, 15, 0, 64] {
            growth.noted(WriteAheadLog(bytes: megabytes * 1_000_000))
        }
        let told = log.lines.map { line in
            "\(line.prefix { $0 != " " }) \(line.split(separator: " ").last?.filter(\.isNumber) ?? "")"
        }
        #expect(
            told == [
                "warning 64000000", "warning 128000000", "warning 300000000", "notice 15000000", "warning 64000000",
            ]
        )
    }
}
