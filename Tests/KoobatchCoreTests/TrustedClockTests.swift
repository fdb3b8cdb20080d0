import KoobatchCore
import Testing

@Suite("A trusted clock")
struct TrustedClockTests {
    private static let start = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    private static let year = Duration.seconds(31_536_000)

    private var clock = TrustedClock(.init(wall: Self.start, uptime: .zero), last: nil)

    /// Looks at the clocks so many seconds after the start.
    private mutating func look(
        _ seconds: Int,
        ahead: Duration = .zero,
        server: Duration? = nil
    ) -> TrustedClock.Change? {
        let wall = Self.start + .seconds(seconds) + ahead
        return clock.observe(
            .init(wall: wall, uptime: .seconds(seconds)),
            server: server.map { ServerTime(date: Self.start + .seconds(seconds) + $0, wall: wall) }
        )
    }

    private func passed(_ seconds: Int) -> Timestamp { Self.start + .seconds(seconds) }

    @Test("is the wall clock while that goes evenly, or is slewed and stepped by little")
    mutating func even() {
        for second in 1...1_000 {
            #expect(look(second, ahead: .milliseconds(5_000 * (second / 100))) == nil)
            #expect(clock.now == passed(second) + .milliseconds(5_000 * (second / 100)))
        }
    }

    @Test("goes on from where it was while a leap is doubted, and follows it when it has lasted long enough")
    mutating func lasting() {
        #expect(look(10, ahead: Self.year) == .jumped(ahead: Self.year))
        #expect(clock.now == passed(10))
        #expect(clock.leap == Self.year)
        #expect(look(609, ahead: Self.year) == nil)
        #expect(clock.now == passed(609))
        #expect(look(610, ahead: Self.year) == .proved)
        #expect(clock.now == passed(610) + Self.year)
        #expect(look(611, ahead: Self.year) == nil)
        #expect(clock.leap == nil)
    }

    @Test("tells when a leap is over")
    mutating func over() {
        _ = look(10, ahead: Self.year)
        #expect(look(300) == .returned)
        #expect(clock.now == passed(300))
        #expect(look(10_000) == nil)
    }

    @Test("begins to wait anew when the clock jumps again")
    mutating func again() {
        _ = look(10, ahead: Self.year)
        #expect(look(600, ahead: .seconds(3_600)) == .jumped(ahead: .seconds(3_600)))
        #expect(look(700, ahead: .seconds(3_600)) == nil)
        #expect(clock.now == passed(700))
        #expect(look(1_200, ahead: .seconds(3_600)) == .proved)
    }

    @Test("follows a clock that is set back at once, and doubts it when it is set right again")
    mutating func back() {
        #expect(look(10, ahead: .zero - Self.year) == .setBack(by: Self.year))
        #expect(clock.now == passed(10) + (.zero - Self.year))
        #expect(look(20) == .jumped(ahead: Self.year))
        #expect(clock.now == passed(20) + (.zero - Self.year))
    }

    @Test("follows a leap at once that the API's clock confirms", arguments: [0, -299, 60])
    mutating func confirmed(skew: Int) {
        _ = look(10, ahead: Self.year)
        #expect(look(11, ahead: Self.year, server: Self.year + .seconds(skew)) == .proved)
        #expect(clock.now == passed(11) + Self.year)
    }

    @Test("does not follow a leap that the API's clock contradicts, however long it lasts")
    mutating func contradicted() {
        _ = look(10, ahead: Self.year)
        for second in stride(from: 11, through: 5_000, by: 500) {
            #expect(look(second, ahead: Self.year, server: .zero) == nil)
            #expect(clock.now == passed(second))
        }
        // The last contradiction tells nothing of what came after it.
        let last = ServerTime(date: passed(4_511), wall: passed(4_511) + Self.year)
        #expect(clock.observe(.init(wall: passed(5_200) + Self.year, uptime: .seconds(5_200)), server: last) == .proved)
    }

    @Test("does not take an answer from before a leap for a confirmation")
    mutating func early() {
        let before = ServerTime(date: passed(5), wall: passed(5))
        _ = look(10, ahead: Self.year)
        let reading = TrustedClock.Reading(wall: passed(11) + Self.year, uptime: .seconds(11))
        #expect(clock.observe(reading, server: before) == nil)
        #expect(clock.leap == Self.year)
    }

    @Test("doubts the clock at a start after a long absence, and no other", arguments: [(1_800, false), (1_801, true)])
    func absence(_ absence: Int, _ isDoubted: Bool) {
        let last = Self.start + .seconds(-absence)
        var clock = TrustedClock(.init(wall: Self.start, uptime: .seconds(7)), last: last)
        #expect((clock.leap != nil) == isDoubted)
        #expect(clock.now == (isDoubted ? last : Self.start))
        #expect(clock.observe(.init(wall: Self.start + .seconds(5), uptime: .seconds(12))) == nil)
        #expect(clock.now == (isDoubted ? last : Self.start) + .seconds(5))
        _ = clock.observe(.init(wall: Self.start + .seconds(600), uptime: .seconds(607)))
        #expect(clock.now == Self.start + .seconds(600))
    }

    @Test("believes a clock at a start that is behind the last one")
    func behind() {
        let clock = TrustedClock(.init(wall: Self.start, uptime: .zero), last: Self.start + Self.year)
        #expect(clock.leap == nil)
        #expect(clock.now == Self.start)
    }
}
