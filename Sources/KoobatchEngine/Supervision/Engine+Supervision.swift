public import KoobatchCore
public import KoobatchStore

extension Engine {
    /// Works with another configuration from the next turn of each stage on.
    ///
    /// Whether results are polled stays as it was until a restart.
    public func change(to configuration: Configuration) {
        let new = settings.change(to: configuration)
        gate.change(backoff: new.rules.backoff, ceiling: new.requestsPerSecond)
        queues.wakeAll()
    }

    /// Has the database wait for nobody else's lock any longer than until then, because the daemon is to have ended.
    public func end(by deadline: ContinuousClock.Instant) {
        store.waitForLocks(until: deadline)
    }

    /// How far the stages have come, for the watchdog; answers at once, whatever the database does.
    public func progress() -> ProgressReport {
        ProgressReport(of: queues.progress, store)
    }

    /// A number that grows with every turn of the stages that move jobs: while it stays, nothing happens.
    public var turns: Int { queues.progress.turns }

    /// Why no request goes to the API, and until when as far as that is known; `nil` while they go.
    public var pause: (reason: CircuitBreaker.Reason, until: Timestamp?)? { gate.pause }

    /// What there is to do.
    public func activity() async throws -> Store.Activity {
        try await store.activity()
    }
}

extension ProgressReport {
    init(of progress: Progress, _ store: Store) {
        let now = ContinuousClock.now
        let (call, locked) = store.pulse(at: now)
        self.init(stages: progress.stages(at: now), databaseCall: call, databaseLocked: locked)
    }
}
