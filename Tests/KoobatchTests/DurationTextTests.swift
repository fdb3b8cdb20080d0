import Testing

@testable import koobatch

@Suite("Lengths of time as people write them")
struct DurationTextTests {
    @Test(
        "are numbers with a unit, and seconds without one",
        arguments: [
            ("90", 90), ("0", 0), ("1.5", 1.5), ("90s", 90), ("250ms", 0.25), ("15m", 900), ("12h", 43_200),
            ("30d", 2_592_000), ("30 days", 2_592_000), ("2 Weeks", 1_209_600), ("1 hour", 3_600),
        ] as [(String, Double)]
    )
    func understood(_ text: String, _ seconds: Double) {
        #expect(DurationText.seconds(text) == seconds)
    }

    @Test(
        "have a unit where one is required",
        arguments: [
            ("7", nil), ("0", nil), ("1.5", nil), ("7 ", nil), ("", nil), ("7d", 604_800), ("0s", 0), ("2 min", 120),
        ]
            as [(String, Double?)]
    )
    func withUnit(_ text: String, _ seconds: Double?) {
        #expect(DurationText.secondsWithUnit(text) == seconds)
    }

    @Test("are nothing else", arguments: ["", "soon", "-1", "1 fortnight", "1d2h", "0x10", "1e3", "d", "inf", "٣"])
    func refused(_ text: String) {
        #expect(DurationText.seconds(text) == nil)
    }

    @Test(
        "are told in the largest unit that divides them",
        arguments: [(90, "90s"), (900, "15m"), (43_200, "12h"), (2_592_000, "30d"), (0.1, "0.1s"), (0, "0s")]
            as [(Double, String)]
    )
    func told(_ seconds: Double, _ text: String) {
        #expect(DurationText.text(seconds) == text)
    }
}
