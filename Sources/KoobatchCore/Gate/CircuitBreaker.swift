/// Whether requests may be sent at all: one state for all chunks and tasks, because they share one endpoint, one account
/// and one set of credentials.
///
/// Throttling, refused credentials and refusals of every request open the circuit: requests pause. After the pause it is
/// half-open, with one probe, whose outcome closes it or opens it for longer. A daemon begins with a probe too.
public struct CircuitBreaker: Hashable, Sendable {
    /// Why the circuit is open; ordered by what an operator should know first.
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

    /// The state of the circuit.
    public enum Phase: Hashable, Sendable {
        /// Requests flow.
        case closed
        /// No request is sent before the time.
        case open(until: Timestamp, reason: Reason)
        /// One request, the probe, is in flight.
        case halfOpen(reason: Reason)
    }

    /// Failures of the endpoint in a row that open the circuit.
    public static let failuresToOpen = 8
    /// The longest pause between two probes of an endpoint that fails: soon enough after it has come back.
    static let longestEndpointPause = Duration.seconds(8)

    /// The state of the circuit.
    public private(set) var phase: Phase = .closed
    /// Failures of the endpoint in a row.
    public private(set) var failures = 0
    /// Whether the API has accepted a request, or refused it for what it asked, since this state began.
    public private(set) var hasPassed = false
    /// Openings in a row without an acceptance between them.
    public private(set) var openings = 0
    private var backoff: Backoff
    /// The clock at the last look.
    private var seenAt: Timestamp?

    /// Creates a closed circuit; pauses grow from `base` to `maximum`.
    public init(base: Duration, maximum: Duration) {
        self.backoff = Backoff(base: base, maximum: maximum)
    }

    /// Takes other pauses, from the next opening on.
    public mutating func change(base: Duration, maximum: Duration) {
        backoff = Backoff(base: base, maximum: maximum)
    }

    /// How many of the requests that are wanted may start now.
    public func allowance(of wanted: Int, at now: Timestamp) -> Int {
        switch phase {
        case .closed: wanted
        case .open(let until, _): now >= until ? min(wanted, 1) : 0
        case .halfOpen: 0
        }
    }

    /// Where the clock was set back, moves the end of a pause by as much; to be called at every look.
    ///
    /// No pause is longer than the longest one, whatever the clock did between two looks.
    public mutating func followClock(to now: Timestamp) {
        defer { seenAt = now }
        guard case .open(let until, let reason) = phase else { return }
        let back = seenAt.map { max(.zero, $0 - now) } ?? .zero
        let moved = back > RateLimit.disorder ? until + (.zero - back) : until
        phase = .open(until: min(moved, now + backoff.maximum), reason: reason)
    }

    /// When the circuit may be half-open next, if it is open.
    public var openUntil: Timestamp? {
        if case .open(let until, _) = phase { until } else { nil }
    }

    /// Notes that requests that were allowed at this time start: on an open circuit, the probe.
    public mutating func started(_ count: Int) {
        if count > 0, case .open(_, let reason) = phase { phase = .halfOpen(reason: reason) }
    }

    /// Notes an answer that shows the endpoint to be fine: an acceptance, or a refusal of something in particular.
    ///
    /// An answer to a request that was sent before the circuit opened does not close it.
    public mutating func passed() {
        failures = 0
        hasPassed = true
        if case .open(_, let reason) = phase, reason != .unproven { return }
        phase = .closed
        openings = 0
    }

    /// Creates an open circuit whose first request, which may go at the time, is a probe: a daemon begins with one.
    public init(base: Duration, maximum: Duration, openFor reason: Reason, at time: Timestamp) {
        self.init(base: base, maximum: maximum)
        phase = .open(until: time, reason: reason)
        openings = reason == .unproven ? 0 : 1
    }

    /// Whether a probe is out.
    public var isProbing: Bool {
        if case .halfOpen = phase { true } else { false }
    }

    /// Whether the circuit is open or half-open because the endpoint fails; its failures are no chunk's fault.
    public var isEndpointFailing: Bool { reason == .endpoint }

    /// Why the circuit is open or half-open, if it is.
    public var reason: Reason? {
        switch phase {
        case .closed: nil
        case .open(_, let reason), .halfOpen(let reason): reason
        }
    }

    /// Notes a failure of the endpoint: a few in a row, a certain one, one that asks for a pause, or that of a probe open
    /// the circuit.
    ///
    /// - Parameters:
    ///   - isCertain: whether no other request would fare better.
    ///   - asked: how long the API asked to wait, if it did.
    ///   - now: the time of the answer.
    public mutating func failed(isCertain: Bool = false, asked: Duration? = nil, at now: Timestamp) {
        failures += 1
        let isEnough = failures >= Self.failuresToOpen || isCertain || asked != nil
        switch phase {
        case .closed where isEnough, .halfOpen(.unproven) where isEnough: trip(.endpoint, asked: asked, at: now)
        case .halfOpen(.unproven): probeWasLost(at: now)
        case .halfOpen: trip(.endpoint, asked: asked, at: now)
        case .open where asked != nil: trip(.endpoint, asked: asked, at: now)
        case .closed, .open: break
        }
    }

    /// Notes a probe that told nothing, such as one that was never sent: the next one may go at once.
    public mutating func probeWasLost(at now: Timestamp) {
        if case .halfOpen(let reason) = phase { phase = .open(until: now, reason: reason) }
    }

    /// Whether the circuit is open because the API does not accept the credentials.
    public var isOpenForCredentials: Bool {
        if case .open(_, .credentials) = phase { true } else { false }
    }

    /// Notes that there are other credentials than the refused ones: a probe may go at once, and pauses grow anew.
    public mutating func credentialsChanged(at now: Timestamp) {
        guard isOpenForCredentials else { return }
        openings = 0
        phase = .open(until: now, reason: .credentials)
    }

    /// Opens the circuit.
    ///
    /// Answers to requests that were sent before it opened do not keep it open for longer.
    ///
    /// - Parameters:
    ///   - reason: why.
    ///   - asked: how long the API asked to wait, if it did.
    ///   - now: the time of the answer.
    public mutating func trip(_ reason: Reason, asked: Duration?, at now: Timestamp) {
        if case .open(let until, let old) = phase, old != .unproven {
            let wanted = asked.map { now + min($0, backoff.maximum) } ?? until
            phase = .open(until: max(until, wanted), reason: old)
            return
        }
        openings += 1
        var pause = backoff.bound(afterFailures: openings)
        if reason == .endpoint { pause = min(pause, Self.longestEndpointPause) }
        phase = .open(until: now + max(pause, min(asked ?? .zero, backoff.maximum)), reason: reason)
    }
}
