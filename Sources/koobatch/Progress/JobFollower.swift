import KoobatchCore
import KoobatchStore
import UnixSignals

/// Looks at the database whenever it has changed.
struct JobFollower {
    /// How often it asks whether there was a change, which is cheap, and draws.
    private static let beat = Duration.milliseconds(100)
    /// How often it looks although there was none: what is waited for can be over by the clock alone.
    private static let net = Duration.seconds(2)

    let client: DatabaseClient
    private let timeout: Duration?
    private let clock = ContinuousClock()

    /// - Parameter timeout: how long to look at most; `nil` is for ever.
    init(client: DatabaseClient, timeout: Duration? = nil) {
        self.client = client
        self.timeout = timeout
    }

    /// The signal that ended a view.
    struct Interrupted: Error {
        let signal: UnixSignal

        /// What a shell expects of a program that the signal ended.
        var status: Int32 { 128 + signal.rawValue }
    }

    /// The time to look was over first.
    struct TimedOut: Error {
        let timeout: Duration
    }

    /// Looks until it is over, or throws `Interrupted` or `TimedOut`.
    ///
    /// - Parameters:
    ///   - look: reads what is to be shown.
    ///   - show: shows it, at every beat, with the time since the start; the end is when it returns false.
    func follow<View: Sendable>(
        look: @escaping @Sendable (DatabaseClient) async throws -> View,
        show: @escaping @Sendable (View, Duration) async throws -> Bool
    ) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await signal in signals { throw Interrupted(signal: signal) }
            }
            group.addTask { try await watch(look: look, show: show) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func watch<View: Sendable>(
        look: (DatabaseClient) async throws -> View,
        show: (View, Duration) async throws -> Bool
    ) async throws {
        let start = clock.now
        var counter: Int64?
        var view: View?
        var looked = start
        while true {
            do {
                let now = try client.foreignChangeCounter()
                if now != counter || clock.now - looked >= Self.net {
                    view = try await look(client)
                    (counter, looked) = (now, clock.now)
                }
            } catch StoreError.locked {
                // The daemon recovers the database after a crash; it is free at one of the next beats.
            }
            if let view, try await !show(view, clock.now - start) { return }
            if let timeout, clock.now - start >= timeout { throw TimedOut(timeout: timeout) }
            try await clock.sleep(for: Self.beat)
        }
    }
}
