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

    /// Creates a housekeeper; it does nothing before `run()`.
    public init(store: Store, inboxes: Inboxes, line: Line, time: EngineTime, logger: Logger) {
        self.store = store
        self.inboxes = inboxes
        self.line = line
        self.time = time
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await inboxes.housekeeper.stoppingWithTask {
            var heartbeatDue = time.now + Self.heartbeatInterval
            var wakeAt = time.now
            var trouble = Trouble(logger: logger)
            while await !inboxes.housekeeper.take(until: wakeAt, time: time).isStopping {
                let now = time.now
                do {
                    if now >= heartbeatDue {
                        try await store.heartbeat(requestsPerSecond: line.requestsPerSecond, at: now)
                        heartbeatDue = now + Self.heartbeatInterval
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
                    wakeAt = now + trouble.failed(error)
                }
            }
        }
    }
}
