/// A token bucket whose rate is learned from the API's answers.
///
/// Unlimited until the API throttles. Then the rate is what the API named in its answer, a little less, or a part of
/// what was being sent, from where it soon goes back to a little less than what was too much. Then it holds, and grows
/// slowly until the API throttles again; never above the rate that the operator set.
///
/// The next request is never further off than the time from one request to the next at the rate in force and a second more,
/// whatever went before. A rate that is learned is one request in ten seconds at the least: a throttling that names less, such
/// as one request a day, pauses requests for as long as its `Retry-After` says, not for what such a rate would come to.
///
/// Submission and polling draw from the same bucket. While both want to send, each gets half.
public struct RateLimit: Hashable, Sendable {
    /// Who draws from the bucket.
    public enum Drawer: Int, Hashable, Sendable, CaseIterable {
        /// Submissions.
        case submission
        /// Queries.
        case poll

        var other: Drawer { self == .submission ? .poll : .submission }
    }

    /// The rates that can be learned, in requests per second.
    static let believable = 0.1...10_000
    /// The most that is owed when more requests started than the limit allowed, as a time at the rate in force.
    static let longestDebt = Duration.seconds(1)
    /// Times that lie back further than this are those of a clock that was set back, not of two stages that come in another
    /// order than they took the time.
    static let disorder = Duration.milliseconds(100)
    /// The share of a rate that the API named which is used: its window and ours do not begin at the same time.
    static let shareOfNamed = 0.93
    /// The share of the present rate that is used after a throttling that named none.
    static let decrease = 0.7
    /// What is taken to have been too much where hardly anything had been sent: a single throttled request tells of
    /// other users of the account, not of a rate.
    static let firstGuess = 32.0
    /// The share of a rate that was too much to which the rate goes back soon.
    static let shareOfThrottled = 0.93
    /// When the rate begins to go back there, after a throttling.
    static let relief = Duration.seconds(1)
    /// How much faster each second makes it on the way back, as a share of the rate.
    static let recovery = 0.1
    /// How much faster each second without throttling makes it, as a share of the rate.
    static let increase = 0.01
    /// How long a rate holds before it grows.
    static let patience = Duration.seconds(30)
    /// How long a rate that the API named holds: more than that is tried only because it may be raised one day.
    static let patienceWithNamed = Duration.seconds(600)
    /// Throttled answers within this time of one that was obeyed are of requests that were sent before it.
    static let settling = Duration.seconds(1)
    /// Requests further apart than this are no steady flow.
    static let lull = Duration.milliseconds(500)
    /// A drawer counts as wanting to send for this long after it last asked for more than it got.
    static let memory = Duration.seconds(1)

    /// Requests per second in force; `nil` is unlimited.
    public private(set) var perSecond: Double?

    /// The rate in force or, shortly after a throttling, the one that it soon goes back to: what a daemon may begin with.
    public var learned: Double? {
        perSecond.map { [max($0, goal ?? 0), ceiling].compactMap(\.self).min() ?? $0 }
    }

    private var ceiling: Double?
    private var tokens = 1.0
    private var refilledAt: Timestamp
    private var obeyedAt: Timestamp?
    private var grownAt: Timestamp
    /// What the rate goes back to soon after a throttling that named none.
    private var goal: Double?
    private var sent: [Timestamp] = []
    private var wantedAt: [Drawer: Timestamp] = [:]
    /// What submission has drawn beyond polling while both wanted to; negative the other way round.
    private var lead = 0

    /// Creates a limit.
    ///
    /// - Parameters:
    ///   - ceiling: the operator's bound, if there is one.
    ///   - learned: the rate that an earlier daemon had learned.
    ///   - now: the time of creation.
    public init(ceiling: Double?, learned: Double?, at now: Timestamp) {
        self.ceiling = ceiling
        // A row can hold any number.
        perSecond = [ceiling, learned.flatMap(Self.believed)].compactMap(\.self).min()
        refilledAt = now
        grownAt = now + (learned == nil ? .zero : Self.patience)
    }

    /// Takes another bound of the operator's.
    ///
    /// A rate that the API's answers taught stays, up to the bound; one that was the bound alone goes with it.
    public mutating func change(ceiling: Double?) {
        let learned = perSecond == self.ceiling && obeyedAt == nil ? nil : perSecond
        self.ceiling = ceiling
        perSecond = [ceiling, learned].compactMap(\.self).min()
        limitDebt()
    }

    /// How many of the requests that are wanted may start now.
    public mutating func allowance(of wanted: Int, for drawer: Drawer, at now: Timestamp) -> Int {
        refill(at: now)
        guard perSecond != nil else { return wanted }
        if wanted > 0 { wantedAt[drawer] = now }
        var allowed = min(wanted, max(0, Int(tokens)))
        if allowed > 0, let other = wantedAt[drawer.other], now - other < Self.memory {
            let ahead = drawer == .submission ? lead : -lead
            // What is over goes to the other, which asks again when it is woken.
            allowed = ahead > 0 ? 0 : min(allowed, max(1, (allowed - ahead + 1) / 2))
        }
        return allowed
    }

    /// Notes that requests started.
    public mutating func started(_ count: Int, by drawer: Drawer, at now: Timestamp) {
        guard count > 0 else { return }
        sent.append(contentsOf: repeatElement(now, count: count))
        sent.removeAll { now - $0 > .seconds(1) }
        // Without a limit nothing is owed: what would pay it back comes with a limit only.
        if perSecond != nil { tokens -= Double(count) }
        limitDebt()
        let both = wantedAt[drawer.other].map { now - $0 < Self.memory } ?? false
        lead = both ? lead + (drawer == .submission ? count : -count) : 0
    }

    /// When the next request may start, if none may now.
    public func nextToken(at now: Timestamp) -> Timestamp? {
        guard let perSecond, tokens < 1 else { return nil }
        return max(refilledAt + .seconds((1 - tokens) / perSecond), now + .milliseconds(1))
    }

    /// Takes in a throttled answer.
    ///
    /// - Parameters:
    ///   - named: the requests per second that the answer named, if it did.
    ///   - now: the time of the answer.
    public mutating func throttled(named: Double?, at now: Timestamp) {
        refill(at: now)
        if let obeyedAt, now - obeyedAt < Self.settling, named == nil { return }
        let named = named.flatMap(Self.believed)
        // Where the API throttles below what it named once already, others use it up too: the rate is learned as if none
        // were named.
        var isShared = false
        if let obeyedAt, let named, let perSecond, perSecond <= named * Self.shareOfNamed {
            if now - obeyedAt < Self.settling { return }
            isShared = true
        }
        let obeyed = isShared ? nil : named
        obeyedAt = now
        let lastSecond = Double(sent.filter { now - $0 <= .seconds(1) }.count)
        let present = perSecond ?? max(lastSecond, Self.firstGuess)
        goal = obeyed == nil ? max(present * Self.shareOfThrottled, Self.believable.lowerBound) : nil
        let rate = max(obeyed.map { $0 * Self.shareOfNamed } ?? present * Self.decrease, Self.believable.lowerBound)
        grownAt = now + (obeyed != nil ? Self.patienceWithNamed : rate == goal ? Self.patience : Self.relief)
        perSecond = [rate, ceiling].compactMap(\.self).min()
        tokens = 0
    }

    /// The rate as far as it can be believed; `nil` for what is none.
    private static func believed(_ rate: Double) -> Double? {
        rate > 0 ? min(max(rate, believable.lowerBound), believable.upperBound) : nil
    }

    private mutating func limitDebt() {
        guard let perSecond else { return }
        tokens = max(tokens, -perSecond * Self.longestDebt.inSeconds)
    }

    /// Where the clock was set back, moves what is remembered by as much: else nothing would be due until it is caught up.
    private mutating func followClock(to now: Timestamp) {
        let back = now - refilledAt
        guard back < .zero - Self.disorder else { return }
        refilledAt = now
        obeyedAt = obeyedAt.map { $0 + back }
        grownAt = grownAt + back
        sent = sent.map { $0 + back }
        wantedAt = wantedAt.mapValues { $0 + back }
    }

    /// Adds what time has brought, and grows the rate where it has held for a while.
    private mutating func refill(at now: Timestamp) {
        followClock(to: now)
        defer { refilledAt = max(refilledAt, now) }
        guard let rate = perSecond, now > refilledAt else { return }
        // A twentieth of a second's worth may gather beyond the next request, so that a stage that wakes late loses none; not
        // after a pause, whose end would be a burst.
        let isFlowing = sent.last.map { now - $0 < Self.lull } ?? false
        tokens = min(tokens + (now - refilledAt).inSeconds * rate, isFlowing ? 1 + rate / 20 : 1)
        guard obeyedAt != nil || rate != ceiling, now > grownAt else { return }
        let seconds = (now - grownAt).inSeconds
        let grown: Double
        if let goal, rate < goal {
            grown = min(rate * (1 + Self.recovery * seconds), goal)
            grownAt = grown < goal ? now : now + Self.patience
        } else {
            grown = rate * (1 + Self.increase * seconds)
            grownAt = now
        }
        perSecond = [min(grown, Self.believable.upperBound), ceiling].compactMap(\.self).min()
    }
}

extension RateLimit {
    /// The rate that a throttling message names: `limit:20,time:1 second` is 20 a second.
    public static func named(in message: String) -> Double? {
        guard let match = message.lowercased().firstMatch(of: /limit:\s*(\d{1,7})\s*,\s*time:\s*(\d{1,5})\s*([a-z]*)/),
            let count = Double(match.1), let time = Double(match.2), count > 0, time > 0
        else { return nil }
        let unit: Double =
            switch match.3 {
            case let word where word.hasPrefix("minute"): 60
            case let word where word.hasPrefix("hour"): 3_600
            case let word where word.hasPrefix("day"): 86_400
            default: 1
            }
        return count / (time * unit)
    }
}
