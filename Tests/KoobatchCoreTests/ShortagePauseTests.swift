import KoobatchCore
import Testing

@Suite("A shortage of descriptors or memory")
struct ShortagePauseTests {
    private static let start = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    /// One after so many failures in a row.
    private func pause(after failures: Int) -> ShortagePause {
        var pause = ShortagePause()
        for _ in 0..<failures { pause.failed(at: Self.start) }
        return pause
    }

    @Test("makes requests wait only after some failures in a row")
    func few() {
        var some = pause(after: ShortagePause.failuresToPause - 1)
        #expect(some.allowance(of: 5, at: Self.start) == 5)
        some.passed()
        some.failed(at: Self.start)
        #expect(some.allowance(of: 5, at: Self.start) == 5)
        var all = pause(after: ShortagePause.failuresToPause)
        #expect(all.allowance(of: 5, at: Self.start) == 0)
        #expect(all.until == Self.start + .seconds(1))
    }

    @Test("lets one request find out whether it is over, and all go once it is")
    func probe() {
        var pause = pause(after: ShortagePause.failuresToPause)
        #expect(pause.allowance(of: 5, at: Self.start + .seconds(1)) == 1)
        pause.passed()
        #expect(pause.allowance(of: 5, at: Self.start) == 5)
    }

    @Test("is not longer for requests that were under way", arguments: [0, 1, 50])
    func underWay(more: Int) {
        #expect(pause(after: ShortagePause.failuresToPause + more).until == Self.start + .seconds(1))
    }

    @Test("pauses grow from failure to failure, to a bound", arguments: zip(1...6, [1, 2, 4, 8, 8, 8]))
    func growth(pauses: Int, seconds: Int) {
        var pause = pause(after: ShortagePause.failuresToPause - 1)
        var now = Self.start
        for _ in 1...pauses {
            now = pause.until ?? now
            pause.failed(at: now)
        }
        #expect(pause.until == now + .seconds(seconds))
    }

    @Test("ends in time where the clock was set back")
    func clock() {
        var pause = pause(after: ShortagePause.failuresToPause)
        let early = Self.start + .seconds(-86_400)
        #expect(pause.allowance(of: 5, at: early) == 0)
        #expect(pause.allowance(of: 5, at: early + ShortagePause.longest) == 1)
    }
}
