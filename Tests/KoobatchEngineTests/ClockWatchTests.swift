import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchEngine

@Suite("The watch over the clock")
struct ClockWatchTests {
    private let clock = ManualTime()
    private let log = LogRecorder()
    private let service = ScriptedService()

    private func watch(last: Timestamp? = nil) -> ClockWatch {
        ClockWatch(last: last, time: clock.time, serverTime: { service.serverTime }, logger: log.logger)
    }

    @Test("says that the clock is ahead of the last heartbeat when a daemon begins, and goes by that")
    func start() {
        let last = clock.now + .seconds(-86_400)
        let watch = watch(last: last)
        #expect(log.lines.count == 1 && log.lines[0].contains("ahead of the last heartbeat"))
        #expect(log.lines[0].contains("86400"))
        #expect(watch.trustedNow() == last)
        #expect(!watch.takeWasSet())
    }

    @Test("says of a leap, and that it is over, each once")
    func leap() {
        let watch = watch()
        let begin = clock.now
        clock.set(to: begin + .seconds(500))
        for _ in 0..<2 { #expect(watch.trustedNow() == begin) }
        #expect(watch.takeWasSet() && !watch.takeWasSet())
        clock.set(to: begin)
        for _ in 0..<2 { #expect(watch.trustedNow() == begin) }
        #expect(
            log.lines.map { $0.prefix(30) }
                == ["warning System clock jumped fo", "notice System clock is back whe"].map { $0.prefix(30) }
        )
    }

    @Test("believes a leap that the API's clock confirms")
    func proved() {
        let watch = watch()
        clock.set(to: clock.now + .seconds(500))
        _ = watch.trustedNow()
        service.setServerTime(ServerTime(date: clock.now, wall: clock.now))
        #expect(watch.trustedNow() == clock.now)
        #expect(log.lines.last?.contains("has proved right") == true)
    }

    @Test("follows a clock that is set back, and says so")
    func setBack() {
        let watch = watch()
        clock.set(to: clock.now + .seconds(-500))
        #expect(watch.trustedNow() == clock.now && watch.takeWasSet())
        #expect(log.lines.last?.contains("was set back") == true)
    }
}
