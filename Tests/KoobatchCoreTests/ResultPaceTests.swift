import KoobatchCore
import TestSupport
import Testing

@Suite("Result pace")
struct ResultPaceTests {
    private static let schedule = PollSchedule(
        initialDelay: .seconds(1),
        maxDelay: .seconds(60),
        resultTimeout: .seconds(3_600)
    )

    @Test("begins with the first result that is seen")
    func begins() {
        var pace = ResultPace(typical: nil)
        pace.looked(isFirst: true, due: .seconds(1), ended: 0, of: 32)
        #expect(pace.typical == nil)
        pace.looked(isFirst: false, due: .seconds(5), ended: 1, of: 32)
        #expect(pace.typical == .seconds(5))
    }

    @Test("goes down with what a first look finds and up with what only a later one does")
    func moves() throws {
        var pace = ResultPace(typical: .seconds(10))
        pace.looked(isFirst: true, due: .seconds(10), ended: 32, of: 32)
        #expect(pace.typical == .milliseconds(9_600))
        pace = ResultPace(typical: .seconds(10))
        pace.looked(isFirst: false, due: .seconds(11), ended: 32, of: 32)
        #expect(pace.typical == .seconds(11))
        pace = ResultPace(typical: .seconds(10))
        pace.looked(isFirst: false, due: .seconds(100), ended: 16, of: 32)
        #expect(pace.typical == .seconds(11))
        pace.looked(isFirst: true, due: .seconds(500), ended: 32, of: 32)
        #expect(pace.typical == .milliseconds(10_560))
        pace.looked(isFirst: false, due: .seconds(2), ended: 32, of: 32)
        #expect(try #require(pace.typical) < .milliseconds(10_560))
    }

    /// Looks at tasks one after the other as the poller does; returns looks and mean lateness per task.
    private func simulate(
        tasks: Int,
        _ duration: (inout SeededGenerator) -> Double
    ) -> (looks: Double, lateness: Double, typical: Duration?) {
        var generator = SeededGenerator(seed: 7)
        var pace = ResultPace(typical: nil)
        var (looks, lateness, instances) = (0, 0.0, 0)
        for _ in 0..<tasks {
            var open = (0..<32).map { _ in duration(&generator) }
            var age = Self.schedule.firstDelay(typical: pace.typical, isProbe: true)
            var look = 0
            while true {
                look += 1
                let ended = open.filter { $0 <= age.inSeconds }
                open.removeAll { $0 <= age.inSeconds }
                lateness += ended.reduce(0) { $0 + age.inSeconds - $1 }
                instances += ended.count
                pace.looked(isFirst: look == 1, due: age, ended: ended.count, of: 32)
                if open.isEmpty { break }
                age += Self.schedule.delay(afterLooks: look, age: age, typical: pace.typical)
            }
            looks += look
        }
        return (Double(looks) / Double(tasks), lateness / Double(instances), pace.typical)
    }

    @Test("meets constant durations with few looks and little delay", arguments: [0.1, 10, 300])
    func constant(_ seconds: Double) {
        let (looks, lateness, _) = simulate(tasks: 500) { _ in seconds }
        #expect(looks < (seconds > 240 ? 2.5 : 1.6))
        #expect(lateness < max(1, seconds * 0.12))
    }

    @Test("is not made late by phones that take far longer than the others")
    func stragglers() throws {
        let (_, _, typical) = simulate(tasks: 500) { Double.random(in: 0..<1, using: &$0) < 0.03 ? 300 : 10 }
        #expect(try #require(typical) < .seconds(15))
    }

    @Test("looks earlier by halves as long as no look came too early")
    func halves() {
        var pace = ResultPace(typical: nil)
        pace.looked(isFirst: true, due: .seconds(96), ended: 32, of: 32)
        for _ in 0..<4 {
            guard let next = pace.typical else { break }
            pace.looked(isFirst: true, due: next, ended: 32, of: 32)
        }
        #expect(pace.typical == .seconds(3))
        // That was too early; from here on it goes slowly.
        pace.looked(isFirst: true, due: .seconds(3), ended: 0, of: 32)
        pace.looked(isFirst: false, due: .seconds(4), ended: 32, of: 32)
        #expect(pace.typical == .milliseconds(3_600))
        pace.looked(isFirst: true, due: .milliseconds(3_600), ended: 32, of: 32)
        #expect(pace.typical == .milliseconds(3_456))
    }

    @Test("comes down from an estimate that is far too high within a few tasks", arguments: [97, 3_600, 259_200])
    func farTooHigh(_ seconds: Int) throws {
        var pace = ResultPace(typical: .seconds(seconds))
        var tasks = 0
        while let next = pace.typical, next > .seconds(1), tasks < 100 {
            tasks += 1
            pace.looked(isFirst: true, due: Self.schedule.firstDelay(typical: next, isProbe: true), ended: 32, of: 32)
        }
        #expect(tasks <= 30, "\(tasks) tasks")
    }

    @Test("is not halved by many looks that an older estimate put off for long")
    func older() throws {
        var pace = ResultPace(typical: nil)
        for _ in 0..<20 { pace.looked(isFirst: true, due: .seconds(40), ended: 32, of: 32) }
        #expect(try #require(pace.typical) > .seconds(9))
    }

    @Test("follows durations that change")
    func follows() throws {
        var pace = ResultPace(typical: .seconds(1))
        for _ in 0..<60 { pace.looked(isFirst: false, due: .seconds(100), ended: 32, of: 32) }
        #expect(try #require(pace.typical) > .seconds(90))
        for _ in 0..<200 { pace.looked(isFirst: true, due: .seconds(100), ended: 32, of: 32) }
        #expect(try #require(pace.typical) < .seconds(2))
    }
}
