import KoobatchCore
import TestSupport
import Testing

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "writes and reads known instants",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)]
    )
    func known(_ milliseconds: Int64, _ text: String) throws {
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).description == text)
        #expect(try #require(Timestamp(text)).millisecondsSinceEpoch == milliseconds)
    }

    @Test("agrees with SQLite's strftime about random instants of 2001 to 9999", arguments: [1, 2, 3] as [UInt64])
    func agreesWithSQLite(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let instants = (0..<5_000).map { _ in
            Timestamp(millisecondsSinceEpoch: .random(in: 978_307_200_000...253_402_300_799_999, using: &generator))
        }
        let values = instants.map { "(\($0.millisecondsSinceEpoch / 1_000), \($0.millisecondsSinceEpoch % 1_000))" }
        let rows = try SQLiteShell(database: ":memory:").rows(
            """
            WITH instants (seconds, milliseconds) AS (VALUES \(values.joined(separator: ", ")))
            SELECT strftime('%Y-%m-%dT%H:%M:%S', seconds, 'unixepoch') || printf('.%03dZ', milliseconds) FROM instants;
            """
        )
        let texts = instants.map(\.description)
        #expect(rows.compactMap(\.first) == texts, "seed \(seed)")
        #expect(texts.map { Timestamp($0) } == instants, "seed \(seed)")
        // What SQLite makes of such a text is the same text: the form that the schema normalises to.
        let again = try SQLiteShell(database: ":memory:").rows(
            """
            WITH texts (text) AS (VALUES \(texts.map { "('\($0)')" }.joined(separator: ", ")))
            SELECT strftime('%Y-%m-%dT%H:%M:%fZ', text, '+0 days') FROM texts;
            """
        )
        #expect(again.compactMap(\.first) == texts, "seed \(seed)")
    }

    @Test("orders instants like their texts", arguments: [1, 2, 3] as [UInt64])
    func order(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let instants = (0..<2_000).map { _ in
            Timestamp(millisecondsSinceEpoch: .random(in: -62_167_219_200_000...253_402_300_799_999, using: &generator))
        }
        #expect(instants.sorted().map(\.description) == instants.map(\.description).sorted(), "seed \(seed)")
    }

    @Test(
        "refuses every other text",
        arguments: [
            "", "now", "2026-12-01", "2026-12-01 10:00:00", "2026-12-01T10:00:00Z", "2026-12-01T10:00:00.00Z",
            "2026-12-01T10:00:00.0000Z", "2026-12-01T10:00:00.000z", "2026-12-01T10:00:00.000+",
            "2026-12-01t10:00:00.000Z", "2026-12-01 10:00:00.000Z", "2026/12/01T10:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z", "2026-01-00T00:00:00.000Z", "2026-02-29T00:00:00.000Z",
            "2100-02-29T00:00:00.000Z", "2026-02-30T00:00:00.000Z", "2026-04-31T00:00:00.000Z",
            "2026-12-01T24:00:00.000Z", "2026-12-01T10:60:00.000Z", "2026-12-01T10:00:60.000Z",
            "+026-12-01T10:00:00.000Z", "2026-12-01T10:00:00.-01Z", "2026-12-01T10:00:0\u{663}.00Z",
            " 026-12-01T10:00:00.000Z",
        ]
    )
    func refused(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test(
        "adds durations in whole milliseconds",
        arguments: [
            (Duration.zero, 0), (.milliseconds(1), 1), (.microseconds(1_999), 1), (.seconds(-1), -1_000),
            (.seconds(3_600), 3_600_000), (.seconds(Int64.max), 3_200_000_000_000),
            (.seconds(Int64.min), -3_200_000_000_000),
        ] as [(Duration, Int64)]
    )
    func addition(_ duration: Duration, _ milliseconds: Int64) {
        let instant = Timestamp(millisecondsSinceEpoch: 1_000_000)
        #expect((instant + duration).millisecondsSinceEpoch == 1_000_000 + milliseconds)
        #expect((instant + duration) - instant == .milliseconds(milliseconds))
    }
}
