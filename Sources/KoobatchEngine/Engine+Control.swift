public import KoobatchCore
public import KoobatchStore

extension Engine {
    /// Works with another configuration from the next turn of each stage on.
    ///
    /// Whether results are polled stays as it was until a restart.
    public func change(to configuration: Configuration) {
        let new = settings.change(to: configuration)
        gate.change(backoff: new.rules.backoff, ceiling: new.requestsPerSecond)
        queues.changed(.anything)
    }

    /// Has the database wait for nobody else's lock any longer than until then, because the daemon is to have ended.
    public func end(by deadline: ContinuousClock.Instant) {
        store.waitForLocks(until: deadline)
    }

    /// Why no request goes to the API, and until when as far as that is known; `nil` while they go.
    public var pause: (reason: CircuitBreaker.Reason, until: Timestamp?)? { gate.pause }

    /// What there is to do.
    public func activity() async throws -> Store.Activity {
        try await store.activity()
    }
}
