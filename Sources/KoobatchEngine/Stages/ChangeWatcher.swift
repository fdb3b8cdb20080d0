public import KoobatchStore
public import Logging
public import ServiceLifecycle
import Synchronization

/// Notices within milliseconds that another process has committed, and wakes the stages.
///
/// The kernel's notices of the database files are the hint (`Store.changeHints`), and `PRAGMA data_version` is the truth.
/// What is missed all the same is due at the next heartbeat; see `Housekeeper`.
public struct ChangeWatcher: Service {
    /// Waits; throws when its task is cancelled.
    typealias Pause = @Sendable (Duration) async throws -> Void

    /// How often to look where there are no hints.
    private static let poll = Duration.milliseconds(500)
    /// The pauses between the looks after a hint.
    ///
    /// A transaction becomes visible after its last write to the log, by a change of shared memory that the kernel does not
    /// tell of: usually within a few milliseconds, the time of a sync.
    static let looks: [Duration] = [0, 1, 1, 2, 2, 4, 8, 16, 32, 64].map { .milliseconds($0) }

    private let store: Store
    private let queues: StageQueues
    private let logger: Logger

    /// Creates a watcher; it does nothing before `run()`.
    public init(store: Store, queues: StageQueues, logger: Logger) {
        self.store = store
        self.queues = queues
        self.logger = logger
    }

    /// Watches until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when a file of the database is not in its place any more.
    public func run() async throws {
        if !store.hasChangeHints {
            logger.warning("The kernel does not tell of writes to the database; polling it")
        }
        let interval = store.hasChangeHints ? nil : Self.poll
        let hints = store.changeHints()
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup { group in
                let (triggers, continuation) = AsyncStream.makeStream(
                    of: Void.self,
                    bufferingPolicy: .bufferingNewest(1)
                )
                continuation.yield()
                if let interval {
                    group.addTask {
                        do {
                            while true {
                                try await ContinuousClock().sleep(for: interval)
                                continuation.yield()
                            }
                        } catch {
                            // Cancelled.
                        }
                    }
                }
                group.addTask {
                    await Self.look(after: hints, pause: { try await ContinuousClock().sleep(for: $0) }) {
                        continuation.yield()
                    }
                }
                try await run(triggers: triggers, atMost: interval)
                group.cancelAll()
            }
        }
    }

    /// Looks a few times after every hint; a hint that comes in the midst begins the looking again.
    ///
    /// - Parameters:
    ///   - hints: ends with its last element, or when the task is cancelled.
    ///   - pause: how to wait.
    ///   - look: called at once with every hint, and after each pause that no other hint has ended.
    static func look(
        after hints: some AsyncSequence<Void, Never>,
        pause: @escaping Pause,
        _ look: @escaping @Sendable () -> Void
    ) async {
        let latest = Latest()
        await withDiscardingTaskGroup { group in
            for await _ in hints {
                let number = latest.advance()
                group.addTask {
                    do {
                        for length in looks {
                            if length > .zero { try await pause(length) }
                            // An earlier hint's: the later one's pauses are shorter.
                            guard latest.number == number else { return }
                            look()
                        }
                    } catch {
                        // Cancelled.
                    }
                }
            }
        }
    }

    /// Looks once for every trigger, until there are no more.
    ///
    /// - Parameter interval: how far apart the triggers are at most; `nil` if they may never come.
    /// - Throws: `StoreError` when a file of the database is not in its place any more.
    func run(triggers: some AsyncSequence<Void, Never>, atMost interval: Duration? = nil) async throws {
        var last: Int64?
        var databaseErrors = DatabaseErrorReporter(logger: logger)
        queues.supervision.waits(.watcher, atMost: interval)
        defer { queues.supervision.ended(.watcher) }
        for await _ in triggers {
            queues.supervision.works(.watcher)
            do {
                let counter = try await store.foreignChangeCounter()
                if counter != last { queues.changed(.anything) }
                last = counter
                databaseErrors.passed()
            } catch let error as StoreError {
                throw error
            } catch {
                _ = databaseErrors.failed(error)
            }
            queues.supervision.waits(.watcher, atMost: interval)
        }
    }
}

/// The number of the latest hint.
private final class Latest: Sendable {
    private let state = Mutex(0)

    var number: Int { state.withLock { $0 } }

    func advance() -> Int {
        state.withLock {
            $0 += 1
            return $0
        }
    }
}
