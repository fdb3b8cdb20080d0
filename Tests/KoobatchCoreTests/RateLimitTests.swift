import KoobatchCore
import Testing

@Suite("Rate limit")
struct RateLimitTests {
    private static let start = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    /// An API that takes so many requests in each second, on a clock of the test's own.
    private struct ThrottlingAPI {
        let perSecond: Int
        let names: Bool
        var second: Int64 = 0
        var taken = 0

        /// Whether it takes a request; if not, what it names.
        mutating func takes(at now: Timestamp) -> Bool {
            let second = now.millisecondsSinceEpoch / 1_000
            if second != self.second { (self.second, taken) = (second, 0) }
            taken += 1
            return taken <= perSecond
        }
    }

    /// What came of a stretch of time.
    private struct Tally {
        var accepted = 0
        var throttled = 0
        var byDrawer: [RateLimit.Drawer: Int] = [:]
    }

    /// Draws as fast as the limit lets it, in steps of 10 ms.
    private func drive(
        _ limit: inout RateLimit,
        _ api: inout ThrottlingAPI,
        from begin: Timestamp,
        seconds: Int64,
        drawers: [RateLimit.Drawer] = [.submission]
    ) -> Tally {
        var tally = Tally()
        for step in 0..<(seconds * 100) {
            let now = begin + .milliseconds(step * 10)
            for drawer in drawers {
                let count = limit.allowance(of: 32, for: drawer, at: now)
                limit.started(count, by: drawer, at: now)
                for _ in 0..<count {
                    if api.takes(at: now) {
                        tally.accepted += 1
                        tally.byDrawer[drawer, default: 0] += 1
                    } else {
                        tally.throttled += 1
                        limit.throttled(named: api.names ? Double(api.perSecond) : nil, at: now)
                    }
                }
            }
        }
        return tally
    }

    @Test("lets everything pass until the API throttles")
    func unlimited() {
        var limit = RateLimit(ceiling: nil, learned: nil, at: Self.start)
        #expect(limit.allowance(of: 1_000, for: .submission, at: Self.start) == 1_000)
        #expect(limit.perSecond == nil)
        #expect(limit.nextToken(at: Self.start) == nil)
    }

    @Test(
        "uses most of what the API takes and is rarely throttled, whether the API names its limit or not",
        arguments: [(20, true), (20, false), (100, true), (100, false), (2, true), (2, false)]
    )
    func learning(perSecond: Int, names: Bool) {
        var limit = RateLimit(ceiling: nil, learned: nil, at: Self.start)
        var api = ThrottlingAPI(perSecond: perSecond, names: names)
        _ = drive(&limit, &api, from: Self.start, seconds: 10)
        let tally = drive(&limit, &api, from: Self.start + .seconds(10), seconds: 300)
        let used = Double(tally.accepted) / Double(300 * perSecond)
        let throttled = Double(tally.throttled) / Double(tally.accepted + tally.throttled)
        #expect(used >= 0.85, "\(used) used")
        #expect(throttled < 0.05, "\(throttled) throttled")
    }

    @Test("does not take a single throttled request for the rate of the API")
    func firstRequest() throws {
        var limit = RateLimit(ceiling: nil, learned: nil, at: Self.start)
        limit.started(1, by: .submission, at: Self.start)
        limit.throttled(named: nil, at: Self.start)
        #expect(try #require(limit.perSecond) > 20)
    }

    @Test("begins with what an earlier daemon had learned")
    func persisted() {
        var limit = RateLimit(ceiling: nil, learned: 19, at: Self.start)
        var api = ThrottlingAPI(perSecond: 20, names: true)
        let tally = drive(&limit, &api, from: Self.start, seconds: 30)
        #expect(tally.throttled == 0)
        #expect(tally.accepted >= 30 * 17)
    }

    @Test("leaves to the next daemon the rate that it goes back to, not that of the moment after a throttling")
    func left() throws {
        var limit = RateLimit(ceiling: nil, learned: 20, at: Self.start)
        limit.throttled(named: nil, at: Self.start)
        let left = try #require(limit.learned)
        #expect(try #require(limit.perSecond) < left)
        for second in 1...10 {
            _ = limit.allowance(of: 1, for: .submission, at: Self.start + .seconds(second))
        }
        #expect(limit.perSecond == left)
    }

    @Test("never exceeds the operator's bound", arguments: [nil, 50.0])
    func ceiling(learned: Double?) {
        var limit = RateLimit(ceiling: 10, learned: learned, at: Self.start)
        var api = ThrottlingAPI(perSecond: 1_000, names: true)
        let tally = drive(&limit, &api, from: Self.start, seconds: 100)
        #expect((950...1_010).contains(tally.accepted), "\(tally.accepted)")
        limit.throttled(named: 500, at: Self.start + .seconds(100))
        #expect(limit.perSecond == 10)
    }

    @Test("gives submission and polling a half each while both want to send")
    func shares() throws {
        var limit = RateLimit(ceiling: 20, learned: nil, at: Self.start)
        var api = ThrottlingAPI(perSecond: 1_000, names: true)
        let tally = drive(&limit, &api, from: Self.start, seconds: 60, drawers: [.submission, .poll])
        let submissions = try #require(tally.byDrawer[.submission])
        let polls = try #require(tally.byDrawer[.poll])
        #expect(abs(submissions - polls) <= 10, "\(submissions) and \(polls)")
        #expect(submissions + polls >= 60 * 17)
    }

    @Test("says when the next request may start")
    func nextToken() throws {
        var limit = RateLimit(ceiling: 10, learned: nil, at: Self.start)
        let count = limit.allowance(of: 32, for: .submission, at: Self.start)
        limit.started(count, by: .submission, at: Self.start)
        let next = try #require(limit.nextToken(at: Self.start))
        #expect(limit.allowance(of: 1, for: .submission, at: next + .milliseconds(-2)) == 0)
        #expect(limit.allowance(of: 1, for: .submission, at: next + .milliseconds(1)) == 1)
    }

    @Test("does not make up for a pause with a burst")
    func pause() {
        var limit = RateLimit(ceiling: 100, learned: nil, at: Self.start)
        limit.started(1, by: .submission, at: Self.start)
        #expect(limit.allowance(of: 32, for: .submission, at: Self.start + .milliseconds(100)) > 3)
        limit.started(10, by: .submission, at: Self.start + .milliseconds(100))
        #expect(limit.allowance(of: 32, for: .submission, at: Self.start + .seconds(2)) == 1)
    }

    @Test("grants nothing while it owes requests")
    func debt() {
        var limit = RateLimit(ceiling: nil, learned: nil, at: Self.start)
        limit.started(500, by: .submission, at: Self.start)
        limit.throttled(named: 20, at: Self.start)
        #expect(limit.allowance(of: 32, for: .submission, at: Self.start) == 0)
    }

    @Test("goes below a rate that the API names and throttles all the same, because others use it up")
    func sharedWithOthers() throws {
        var limit = RateLimit(ceiling: nil, learned: nil, at: Self.start)
        limit.throttled(named: 20, at: Self.start)
        limit.throttled(named: 20, at: Self.start + .milliseconds(500))
        #expect(limit.perSecond == 18.6)
        limit.throttled(named: 20, at: Self.start + .seconds(5))
        #expect(try #require(limit.perSecond) < 14)
        limit.throttled(named: 1.0 / 5, at: Self.start + .seconds(10))
        #expect(abs(try #require(limit.perSecond) - 0.186) < 1e-9)
    }

    @Test("takes another bound at once, and keeps what it has learned below it")
    func otherCeiling() {
        var limit = RateLimit(ceiling: 20, learned: nil, at: Self.start)
        limit.change(ceiling: 50)
        #expect(limit.perSecond == 50)
        limit.change(ceiling: nil)
        #expect(limit.perSecond == nil)
        limit.throttled(named: 20, at: Self.start)
        #expect(limit.perSecond == 18.6)
        limit.change(ceiling: 100)
        #expect(limit.perSecond == 18.6)
        limit.change(ceiling: 5)
        #expect(limit.perSecond == 5)
        var remembered = RateLimit(ceiling: 20, learned: 10, at: Self.start)
        remembered.change(ceiling: 50)
        #expect(remembered.perSecond == 10)
    }

    @Test(
        "reads the rate out of the documented message",
        arguments: [
            ("policy user over ratelimit,limit:20,time:1 second", 20.0),
            ("Policy user over ratelimit, limit:600,time:1 minute", 10.0),
            ("limit:7200,time:2 hours", 1.0),
            ("the throttling threshold has been reached", nil),
            ("limit:0,time:1 second", nil),
        ] as [(String, Double?)]
    )
    func named(message: String, rate: Double?) {
        #expect(RateLimit.named(in: message) == rate)
    }
}
