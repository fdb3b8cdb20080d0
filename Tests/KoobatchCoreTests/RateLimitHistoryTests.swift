import KoobatchCore
import TestSupport
import Testing

@Suite("Rate limit after any history")
struct RateLimitHistoryTests {
    private static let start = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    /// One request and a second's worth of the rate; times that are up to a tenth of a second out of order, and in whole
    /// milliseconds.
    private static func longestWait(at rate: Double) -> Duration { .seconds(1 / rate + 1) + .milliseconds(102) }

    /// A limit with what is admitted and has not started yet, as between the two calls of the request gate.
    private struct History {
        var limit: RateLimit
        var now = RateLimitHistoryTests.start
        var admitted: [(count: Int, drawer: RateLimit.Drawer)] = []
        var generator: SeededGenerator

        init(seed: UInt64) {
            generator = SeededGenerator(seed: seed)
            let ceiling = [nil, nil, 0.1, 20].randomElement(using: &generator) ?? nil
            let learned = [nil, nil, 1e-9, 5, 1e300].randomElement(using: &generator) ?? nil
            limit = RateLimit(ceiling: ceiling, learned: learned, at: now)
        }

        /// One thing that can happen to a limit.
        mutating func step() {
            switch Int.random(in: 0..<16, using: &generator) {
            case 0..<4:
                now = now + .milliseconds(Int64.random(in: 0...500, using: &generator))
            case 4:
                now = now + .seconds(Int64.random(in: -100_000...100_000, using: &generator))
            case 5..<10:
                let drawer = RateLimit.Drawer.allCases.randomElement(using: &generator) ?? .poll
                let wanted = Int.random(in: 0...2_000, using: &generator)
                admitted.append((limit.allowance(of: wanted, for: drawer, at: now), drawer))
            case 10..<14:
                guard let (count, drawer) = admitted.popLast() else { return }
                limit.started(count, by: drawer, at: now)
            case 14:
                let named = [nil, nil, 1 / 86_400.0, 1e-12, 0.5, 10, 1_000_000].randomElement(using: &generator) ?? nil
                limit.throttled(named: named, at: now)
            default:
                limit.change(ceiling: [nil, 0.1, 3, 10_000].randomElement(using: &generator) ?? nil)
            }
        }
    }

    @Test(
        "lets the next request start within a second more than the rate in force needs for one",
        arguments: [1, 2, 3, 5, 8, 13, 21, 34] as [UInt64]
    )
    func nextRequest(seed: UInt64) {
        for run in 0..<100 {
            var history = History(seed: seed &* 1_000 &+ UInt64(run))
            for step in 0..<200 {
                history.step()
                guard let rate = history.limit.perSecond else { continue }
                // A stage asks for the time after it was granted nothing.
                _ = history.limit.allowance(of: 0, for: .submission, at: history.now)
                let next = history.limit.nextToken(at: history.now) ?? history.now
                let wait = Self.longestWait(at: rate)
                guard next - history.now <= wait else {
                    Issue.record("seed \(seed), run \(run), step \(step): \(next - history.now) at \(rate) a second")
                    return
                }
                // And what is promised is granted.
                var later = history.limit
                let granted = RateLimit.Drawer.allCases.map {
                    later.allowance(of: 1, for: $0, at: history.now + wait)
                }
                guard granted.contains(1) else {
                    Issue.record("seed \(seed), run \(run), step \(step): nothing granted at \(rate) a second")
                    return
                }
            }
        }
    }

    @Test("owes nothing for what was sent without a limit", arguments: [2_032, 100_000])
    func unlimited(sent: Int) throws {
        var limit = RateLimit(ceiling: nil, learned: nil, at: Self.start)
        limit.started(sent, by: .submission, at: Self.start)
        limit.throttled(named: 10, at: Self.start + .seconds(5))
        let next = try #require(limit.nextToken(at: Self.start + .seconds(5)))
        #expect(next - Self.start <= .seconds(6), "\(next - Self.start)")
    }

    @Test(
        "believes no rate below one request in ten seconds",
        arguments: ["limit:1,time:1 day", "limit:1,time:99999 day", "limit:1,time:1 hour", "limit:2,time:1 minute"]
    )
    func floor(message: String) throws {
        var limit = RateLimit(ceiling: nil, learned: nil, at: Self.start)
        limit.throttled(named: RateLimit.named(in: message), at: Self.start)
        #expect(limit.perSecond == 0.1)
        #expect(limit.learned == 0.1)
        let next = try #require(limit.nextToken(at: Self.start))
        #expect(next - Self.start <= .seconds(10))
    }

    @Test(
        "reads what an earlier daemon has left as far as it can be believed",
        arguments: [
            (0, nil), (-1, nil), (.nan, nil), (1e-12, 0.1), (0.1, 0.1), (19, 19), (1e300, 10_000), (.infinity, 10_000),
        ] as [(Double, Double?)]
    )
    func remembered(learned: Double, rate: Double?) {
        var limit = RateLimit(ceiling: nil, learned: learned, at: Self.start)
        #expect(limit.perSecond == rate)
        #expect(limit.allowance(of: 5, for: .poll, at: Self.start + .seconds(1_000_000)) > 0)
    }

    @Test("does not wait for a clock that was set back to catch up")
    func clockSetBack() {
        var limit = RateLimit(ceiling: 10, learned: nil, at: Self.start)
        let before = Self.start + .seconds(-86_400)
        limit.started(limit.allowance(of: 5, for: .submission, at: Self.start), by: .submission, at: Self.start)
        #expect(limit.allowance(of: 5, for: .submission, at: before) == 0)
        #expect(limit.allowance(of: 5, for: .submission, at: before + .seconds(1)) > 0)
        limit.throttled(named: nil, at: before + .seconds(2))
        #expect(limit.perSecond == 7)
    }
}
