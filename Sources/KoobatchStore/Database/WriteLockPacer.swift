import Synchronization

/// Leaves the write lock to whoever has just opened the database; see `YieldPolicy`.
///
/// Ask it right before each transaction (`mayBegin`), and in the midst of one whether to commit what there is
/// (`shouldYield`). The notices of the kernel are also the hints that somebody may have committed.
final class WriteLockPacer: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct State {
        var policy: YieldPolicy
        var heldSince: Instant?
        var hint: AsyncStream<Void>.Continuation?
        /// Whether the kernel tells of writes to the log.
        var hearsWrites = true
    }

    /// How long to wait at most before the notices are looked at again.
    private static let look = Duration.milliseconds(1)

    private let state: Mutex<State>
    private let probe: ConnectionProbe
    private let notices: FileNotices?
    private let clock: @Sendable () -> Instant

    /// Creates the pacer of a database that a connection of this process has read, and keeps open for longer.
    ///
    /// - Parameters:
    ///   - path: of the database.
    ///   - clock: tells the time.
    init(database path: String, clock: @escaping @Sendable () -> Instant = { .now }) {
        let probe = ConnectionProbe(database: path)
        // Before the locks are asked for the first time, so that no open is missed.
        let notices = FileNotices(database: path)
        let policy = YieldPolicy(
            isOpenElsewhere: probe.isOpenElsewhere ?? true,
            hasClients: probe.hasClients,
            at: clock()
        )
        (self.probe, self.notices, self.clock) = (probe, notices, clock)
        state = Mutex(State(policy: policy))
        notices?.whenever { [weak self] in self?.look { _, _ in } }
    }

    /// Whether the kernel tells of opens and writes; without, the locks of others and a slow poll must do.
    var isNotified: Bool { notices != nil }

    /// Who else holds the write lock, in words, if that can be told.
    var writer: String? { probe.writer }

    /// Whether a transaction may begin now.
    ///
    /// - Parameter wantedSince: when it was asked for.
    func mayBegin(wantedSince: Instant) -> Bool {
        pause(wantedSince: wantedSince) == .zero
    }

    /// Waits until a transaction may begin.
    ///
    /// - Throws: `CancellationError`.
    func wait(since wanted: Instant) async throws {
        while true {
            let pause = pause(wantedSince: wanted)
            guard pause > .zero else { return }
            try await ContinuousClock().sleep(for: min(pause, Self.look))
        }
    }

    private func pause(wantedSince: Instant) -> Duration {
        look { state, now in state.policy.pause(wantedSince: wantedSince, at: now) }
    }

    /// Notes that a transaction has taken the lock, until `released()`.
    func took() {
        state.withLock { $0.heldSince = clock() }
    }

    /// Whether a transaction has taken the lock.
    var isHeld: Bool { state.withLock { $0.heldSince != nil } }

    /// Notes the end of a transaction, whether it took the lock or not.
    ///
    /// - Returns: how long the lock was held.
    @discardableResult
    func released() -> Duration? {
        state.withLock { state in
            guard let since = state.heldSince else { return nil }
            state.heldSince = nil
            let now = clock()
            state.policy.held(for: now - since, at: now)
            return now - since
        }
    }

    /// Whether the running transaction should commit what it has and end: somebody has just opened the database, or it
    /// has held the lock for as long as a transaction should.
    ///
    /// Costs two system calls; ask between pieces of at most 100 us, after at least one.
    var shouldYield: Bool {
        look { state, now in
            if let since = state.heldSince, now - since >= state.policy.transactionTarget { return true }
            return state.policy.isOpening(at: now)
        }
    }

    /// Whether somebody has just opened the database.
    var isOpening: Bool {
        look { state, now in state.policy.isOpening(at: now) }
    }

    /// An element whenever others may have committed, until this is called again; hints that come meanwhile are one.
    func hints() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { state in
            state.hint?.finish()
            state.hint = continuation
        }
        return stream
    }

    /// Takes the notices in.
    private func look<Value>(_ body: (State, Instant) -> Value) -> Value {
        state.withLock { state in
            let now = clock()
            let isOpenElsewhere = probe.isOpenElsewhere
            var isHint = false
            for notice in notices?.take() ?? [] {
                state.policy.take(notice, at: now)
                switch notice {
                // What a program has committed is visible when it closes the database.
                case .closed, .missed, .moved: isHint = true
                // Of the daemon itself, while nobody else has accessed the database.
                case .written: isHint = isHint || isOpenElsewhere ?? true
                case .opened, .logOpened, .clientOpened, .clientClosed: break
                }
            }
            state.policy.probed(isOpenElsewhere: isOpenElsewhere, hasClients: probe.hasClients, at: now)
            // While nobody else has the database open the writes are the daemon's own: thousands a second.
            let hearsWrites = isOpenElsewhere ?? true || state.policy.isOpening(at: now)
            if hearsWrites != state.hearsWrites {
                state.hearsWrites = hearsWrites
                notices?.tellOfWrites(hearsWrites)
                // What was written meanwhile.
                isHint = isHint || hearsWrites
            }
            if isHint { state.hint?.yield() }
            return body(state, now)
        }
    }
}
