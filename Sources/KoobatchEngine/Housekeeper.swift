import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Ends jobs whose time has passed and writes the daemon's sign of life.
public struct Housekeeper: Service {
    private static let heartbeatInterval = Duration.seconds(10)

    private let store: Store
    private let inboxes: Inboxes
    private let line: Line
    private let time: EngineTime
    private let logger: Logger
    private let health: Health
    private let publish: @Sendable () async -> String?

    /// Creates a housekeeper; it does nothing before `run()`.
    ///
    /// - Parameters:
    ///   - health: told of every sign of life.
    ///   - publish: called at every sign of life; makes public what was measured and returns it for the database.
    public init(
        store: Store,
        inboxes: Inboxes,
        line: Line,
        time: EngineTime,
        logger: Logger,
        health: Health,
        publish: @escaping @Sendable () async -> String?
    ) {
        self.store = store
        self.inboxes = inboxes
        self.line = line
        self.time = time
        self.logger = logger
        self.health = health
        self.publish = publish
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await inboxes.housekeeper.stoppingWithTask {
            var heartbeatDue = time.now
            var wakeAt = time.now
            var trouble = Trouble(logger: logger)
            while await !inboxes.housekeeper.take(until: wakeAt, time: time).isStopping {
                let now = time.now
                do {
                    if now >= heartbeatDue {
                        try await store.heartbeat(
                            requestsPerSecond: line.requestsPerSecond,
                            exposition: await publish(),
                            at: now
                        )
                        health.wrote()
                        heartbeatDue = now + Self.heartbeatInterval
                        inboxes.ringAll()
                    }
                    let (expired, next) = try await store.expire(at: now)
                    for job in expired {
                        logger.warning("Job expired", metadata: [LogKeys.jobID: "\(job.rawValue)"])
                    }
                    trouble.passed()
                    wakeAt = min(heartbeatDue, next ?? heartbeatDue)
                } catch let error as StoreError {
                    throw error
                } catch {
                    health.failed(error)
                    wakeAt = now + trouble.failed(error)
                }
            }
        }
    }
}
