/// Whether requests may be sent at all: one state for all chunks and tasks, because they share one endpoint, one account
/// and one set of credentials.
///
/// Throttling, refused credentials and refusals that concern everything close the line. It opens for one probe when the
/// pause is over; the probe's outcome opens it wholly or closes it for longer. A daemon begins with a probe too.
public struct LineState: Hashable, Sendable {
    /// Why the line is closed; ordered by what an operator should know first.
    public enum Reason: String, Hashable, Sendable {
        /// The API has not accepted anything yet: whether it accepts the credentials is tried with one request, because
        /// an access key that fails more than five times in a row is locked.
        case unproven
        /// The API asked for a pause.
        case throttled
        /// The API does not accept the credentials.
        case credentials
        /// The API refuses everything.
        case refusal
        /// The endpoint fails: it cannot be reached, loses answers or answers 5xx.
        case endpoint
    }

    /// How the line stands.
    public enum Phase: Hashable, Sendable {
        /// Requests go freely.
        case open
        /// No request goes before the time.
        case closed(until: Timestamp, reason: Reason)
        /// One request is out to see whether the line can open.
        case probing(reason: Reason)
    }

    /// Failures of the endpoint in a row that close an open line.
    public static let failuresToClose = 8
    /// The longest pause between two probes of an endpoint that fails: soon enough after it has come back.
    static let longestEndpointPause = Duration.seconds(8)

    /// How the line stands.
    public private(set) var phase: Phase = .open
    /// Failures of the endpoint in a row.
    public private(set) var failures = 0
    /// Whether the API has accepted a request, or refused it for what it asked, since this state began.
    public private(set) var hasPassed = false
    /// Closings in a row without an acceptance between them.
    public private(set) var closings = 0
    private var backoff: Backoff
    /// The clock at the last look.
    private var seenAt: Timestamp?

    /// Creates an open line; pauses grow from `base` to `maximum`.
    public init(base: Duration, maximum: Duration) {
        self.backoff = Backoff(base: base, maximum: maximum)
    }

    /// Takes other pauses, from the next closing on.
    public mutating func change(base: Duration, maximum: Duration) {
        backoff = Backoff(base: base, maximum: maximum)
    }

    /// How many of the requests that are wanted may start now.
    public func allowance(of wanted: Int, at now: Timestamp) -> Int {
        switch phase {
        case .open: wanted
        case .closed(let until, _): now >= until ? min(wanted, 1) : 0
        case .probing: 0
        }
    }

    /// Where the clock was set back, moves the end of a pause by as much; to be called at every look.
    ///
    /// No pause is longer than the longest one, whatever the clock did between two looks.
    public mutating func followClock(to now: Timestamp) {
        defer { seenAt = now }
        guard case .closed(let until, let reason) = phase else { return }
        let back = seenAt.map { max(.zero, $0 - now) } ?? .zero
        let moved = back > RateLimit.disorder ? until + (.zero - back) : until
        phase = .closed(until: min(moved, now + backoff.maximum), reason: reason)
    }

    /// When the line may open next, if it is closed.
    public var closedUntil: Timestamp? {
        if case .closed(let until, _) = phase { until } else { nil }
    }

    /// Notes that requests that were allowed at this time start: on a closed line, the one that probes.
    public mutating func started(_ count: Int) {
        if count > 0, case .closed(_, let reason) = phase { phase = .probing(reason: reason) }
    }

    /// Notes an answer that shows the line to be fine: an acceptance, or a refusal of something in particular.
    ///
    /// An answer to a request that was sent before the line closed does not open it.
    public mutating func passed() {
        failures = 0
        hasPassed = true
        if case .closed(_, let reason) = phase, reason != .unproven { return }
        phase = .open
        closings = 0
    }

    /// Creates a closed line whose first request, which may go at the time, is a probe: a daemon begins with one.
    public init(base: Duration, maximum: Duration, closedFor reason: Reason, at time: Timestamp) {
        self.init(base: base, maximum: maximum)
        phase = .closed(until: time, reason: reason)
        closings = reason == .unproven ? 0 : 1
    }

    /// Whether a probe is out.
    public var isProbing: Bool {
        if case .probing = phase { true } else { false }
    }

    /// Whether the line is closed, or being probed, because the endpoint fails; its failures are no chunk's fault.
    public var isEndpointFailing: Bool { reason == .endpoint }

    /// Why the line is closed or being probed, if it is.
    public var reason: Reason? {
        switch phase {
        case .open: nil
        case .closed(_, let reason), .probing(let reason): reason
        }
    }

    /// Notes a failure of the endpoint: a few in a row, a certain one, one that asks for a pause, or that of a probe close
    /// the line.
    ///
    /// - Parameters:
    ///   - isCertain: whether no other request would fare better.
    ///   - asked: how long the API asked to wait, if it did.
    ///   - now: the time of the answer.
    public mutating func failed(isCertain: Bool = false, asked: Duration? = nil, at now: Timestamp) {
        failures += 1
        let isEnough = failures >= Self.failuresToClose || isCertain || asked != nil
        switch phase {
        case .open where isEnough, .probing(.unproven) where isEnough: close(.endpoint, asked: asked, at: now)
        case .probing(.unproven): probeWasLost(at: now)
        case .probing: close(.endpoint, asked: asked, at: now)
        case .closed where asked != nil: close(.endpoint, asked: asked, at: now)
        case .open, .closed: break
        }
    }

    /// Notes a probe that told nothing, such as one that was never sent: the next one may go at once.
    public mutating func probeWasLost(at now: Timestamp) {
        if case .probing(let reason) = phase { phase = .closed(until: now, reason: reason) }
    }

    /// Whether the line is closed because the API does not accept the credentials.
    public var isClosedForCredentials: Bool {
        if case .closed(_, .credentials) = phase { true } else { false }
    }

    /// Notes that there are other credentials than the refused ones: a probe may go at once, and pauses grow anew.
    public mutating func credentialsChanged(at now: Timestamp) {
        guard isClosedForCredentials else { return }
        closings = 0
        phase = .closed(until: now, reason: .credentials)
    }

    /// Closes the line.
    ///
    /// Answers to requests that were sent before it closed do not close it for longer.
    ///
    /// - Parameters:
    ///   - reason: why.
    ///   - asked: how long the API asked to wait, if it did.
    ///   - now: the time of the answer.
    public mutating func close(_ reason: Reason, asked: Duration?, at now: Timestamp) {
        if case .closed(let until, let old) = phase, old != .unproven {
            let wanted = asked.map { now + min($0, backoff.maximum) } ?? until
            phase = .closed(until: max(until, wanted), reason: old)
            return
        }
        closings += 1
        var pause = backoff.bound(afterFailures: closings)
        if reason == .endpoint { pause = min(pause, Self.longestEndpointPause) }
        phase = .closed(until: now + max(pause, min(asked ?? .zero, backoff.maximum)), reason: reason)
    }
}
