public import KoobatchCore
public import KoobatchStore
public import Logging
import Synchronization

/// Whether requests may be sent, and how many a second: shared by the submitter and the poller.
///
/// See `CircuitBreaker` and `RateLimit`; this keeps the two and writes what changes of them where people look.
public final class RequestGate: Sendable {
    struct State {
        var circuit: CircuitBreaker
        var rate: RateLimit
        var shortage = ShortagePause()
    }

    private static let soon = Duration.milliseconds(50)
    /// How often to look whether a probe that is out was lost.
    private static let probeLook = Duration.seconds(1)
    /// How often to look whether there are new credentials while the old ones are refused.
    private static let credentialsLook = Duration.seconds(1)

    private let state: Mutex<State>
    private let service: any CommandService
    private let changed: @Sendable () -> Void
    let store: Store
    let logger: Logger

    /// Creates a gate in the state that an earlier daemon left.
    ///
    /// - Parameters:
    ///   - backoff: how long the circuit stays open, from the first time in a row to the longest.
    ///   - ceiling: the operator's bound on requests per second.
    ///   - memory: what the earlier daemon knew.
    ///   - service: asked whether there are credentials that have not been tried, and told where only a policy says that they
    ///     are refused.
    ///   - store: where changes are written.
    ///   - logger: for changes of the circuit.
    ///   - now: the time of creation.
    ///   - changed: called when the circuit opens or closes.
    public init(
        backoff: Backoff,
        ceiling: Double?,
        memory: Store.GateMemory,
        service: any CommandService,
        store: Store,
        logger: Logger,
        at now: Timestamp,
        changed: @escaping @Sendable () -> Void = {}
    ) {
        // One that is longer than a pause can be was written while the clock was ahead.
        let pausedUntil = memory.pausedUntil.flatMap { $0 > now && $0 <= now + backoff.maximum ? $0 : nil }
        let circuit = CircuitBreaker(
            base: backoff.base,
            maximum: backoff.maximum,
            openFor: memory.openFor ?? (pausedUntil == nil ? .unproven : .throttled),
            at: pausedUntil ?? now
        )
        let rate = RateLimit(ceiling: ceiling, learned: memory.requestsPerSecond, at: now)
        self.state = Mutex(State(circuit: circuit, rate: rate))
        self.service = service
        self.changed = changed
        self.store = store
        self.logger = logger
    }

    /// Takes other pauses and another bound; what was learned stays.
    func change(backoff: Backoff, ceiling: Double?) {
        state.withLock {
            $0.circuit.change(base: backoff.base, maximum: backoff.maximum)
            $0.rate.change(ceiling: ceiling)
        }
    }

    /// Why no request goes, if none does.
    var pause: (reason: CircuitBreaker.Reason, until: Timestamp?)? {
        state.withLock { state in
            switch state.circuit.phase {
            case .closed: nil
            case .open(let until, let reason): (reason, until)
            case .halfOpen(let reason): (reason, nil)
            }
        }
    }

    /// Requests that may start.
    struct Admission: Sendable {
        /// How many.
        let places: Int
        /// Whether the one request is the probe of an open circuit: its answer alone closes it or keeps it open.
        let isProbe: Bool
    }

    /// Lets as many of the requests that are wanted start as may now; `started` must follow, also when there are none.
    ///
    /// - Parameter wanted: requests that there is work for, not places: the two drawers share what there is.
    func admit(_ wanted: Int, for drawer: RateLimit.Drawer, at now: Timestamp) -> Admission {
        state.withLock { state in
            state.circuit.followClock(to: now)
            if wanted > 0, state.circuit.isOpenForCredentials, service.hasNewCredentials {
                state.circuit.credentialsChanged(at: now)
            }
            let possible = state.shortage.allowance(of: state.circuit.allowance(of: wanted, at: now), at: now)
            let places = state.rate.allowance(of: possible, for: drawer, at: now)
            // At once: what the other drawer does meanwhile must find the circuit as this one leaves it.
            state.circuit.started(places)
            return Admission(places: places, isProbe: places > 0 && state.circuit.isProbing)
        }
    }

    /// Notes how many of the admitted requests started.
    func started(_ count: Int, of admission: Admission, by drawer: RateLimit.Drawer, at now: Timestamp) {
        state.withLock { state in
            if admission.isProbe, count == 0 { state.circuit.probeWasLost(at: now) }
            state.rate.started(count, by: drawer, at: now)
        }
    }

    /// When to ask again for requests that were wanted and may not start now.
    ///
    /// Where that is not a matter of time, it is soon; while a probe is out, whose answer wakes whoever waits for it, it is later.
    func nextLook(at now: Timestamp) -> Timestamp {
        let next = state.withLock { state -> Timestamp? in
            if state.circuit.isProbing { return now + Self.probeLook }
            let circuit = state.circuit.openUntil.map {
                state.circuit.isOpenForCredentials ? min($0, now + Self.credentialsLook) : $0
            }
            let shortage = state.shortage.until.map { max($0, now + Self.soon) }
            return [circuit, shortage, state.rate.nextToken(at: now)].compactMap(\.self).max()
        }
        return max(next ?? now + Self.soon, now + .milliseconds(1))
    }

    /// Requests per second as they were learned; `nil` is unlimited.
    var requestsPerSecond: Double? {
        state.withLock { $0.rate.learned }
    }

    /// Whether failures are those of the endpoint as a whole.
    var isEndpointFailing: Bool {
        state.withLock { $0.circuit.isEndpointFailing }
    }

    /// Decides what answers mean: applies the error policies, once for the gate and for the record, updates circuit and rate
    /// limit, and writes what has changed.
    ///
    /// - Parameters:
    ///   - answers: of one stage.
    ///   - isProbe: whether an answer's request was admitted as a probe. While one is out, the answers to requests that were
    ///     sent before the circuit opened tell nothing of it.
    ///   - now: the time.
    /// - Returns: the answers with the error policies applied.
    /// - Throws: where the policies cannot be read; then no answer is taken in.
    func take<Answer>(
        _ answers: [Answer],
        isProbe: (Answer) -> Bool,
        at now: Timestamp
    ) async throws -> [Classified<Answer>] {
        let classified = try await store.classify(answers)
        for (answer, known) in zip(answers, classified) {
            await take(known.failure, of: answer.failure, isProbe: isProbe(answer), at: now)
        }
        return classified
    }

    private func take(
        _ classified: ClassifiedFailure?,
        of failure: ServiceFailure?,
        isProbe: Bool,
        at now: Timestamp
    ) async {
        let (before, after) = state.withLock { state in
            let before = state
            Self.take(classified, into: &state, at: now)
            if before.circuit.isProbing, !isProbe { state.circuit = before.circuit }
            return (before, state)
        }
        let applied = classified?.failure
        if after.circuit.isOpenForCredentials, before.circuit != after.circuit, applied?.outcome != failure?.outcome {
            service.renewCredentials()
        }
        if before.circuit.phase != after.circuit.phase { changed() }
        await write(applied, from: before, to: after, at: now)
    }

    private static func take(_ classified: ClassifiedFailure?, into state: inout State, at now: Timestamp) {
        if classified?.failure.errorCode == ServiceFailure.Code.resources {
            state.shortage.failed(at: now)
        } else if classified?.failure.outcome != .notSent {
            state.shortage.passed()
        }
        guard let classified else { return state.circuit.passed() }
        let failure = classified.failure
        switch failure.outcome {
        case .throttled:
            state.rate.throttled(named: RateLimit.named(in: failure.message), at: now)
            if failure.retryAfter != nil {
                state.circuit.trip(.throttled, asked: failure.retryAfter, at: now)
            } else {
                state.circuit.passed()
            }
        case .unauthenticated:
            state.circuit.trip(.credentials, asked: failure.retryAfter, at: now)
        case .refused where classified.affectsAllRequests:
            state.circuit.trip(.refusal, asked: failure.retryAfter, at: now)
        case _ where failure.isOfEndpoint:
            state.circuit.failed(isCertain: failure.endpointFault == .certain, asked: failure.retryAfter, at: now)
        case .notSent, .unknown:
            state.circuit.probeWasLost(at: now)
        case .refused:
            state.circuit.passed()
        }
    }
}
