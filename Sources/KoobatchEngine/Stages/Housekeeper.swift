import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Ends jobs whose time has passed, deletes those past the retention, and writes the daemon's heartbeat.
///
/// With each heartbeat it wakes the stages that have work which is due, so that a lost wake-up delays nothing for longer.
public struct Housekeeper: Service {
    private static let heartbeatInterval = Duration.seconds(10)
    /// Between two attempts to empty a large write-ahead log.
    private static let logInterval = Duration.seconds(1)

    private let retention: @Sendable () -> Duration?
    private let rules: @Sendable () -> SubmissionRules
    private let store: Store
    private let queues: StageQueues
    private let gate: RequestGate
    private let time: EngineTime
    private let clock: ClockWatch
    private let logger: Logger
    private let health: Health
    private let publish: @Sendable () async -> String?

    /// Creates a housekeeper; it does nothing before `run()`.
    ///
    /// - Parameters:
    ///   - retention: how long finished jobs are kept; `nil` keeps them for ever.
    ///   - rules: the bounds of what is put off.
    ///   - clock: what deletions and expiry go by.
    ///   - health: told of every heartbeat.
    ///   - publish: called at every heartbeat; makes public what was measured and returns it for the database.
    public init(
        retention: @escaping @Sendable () -> Duration?,
        rules: @escaping @Sendable () -> SubmissionRules,
        store: Store,
        queues: StageQueues,
        gate: RequestGate,
        time: EngineTime,
        clock: ClockWatch,
        logger: Logger,
        health: Health,
        publish: @escaping @Sendable () async -> String?
    ) {
        self.retention = retention
        self.rules = rules
        self.store = store
        self.queues = queues
        self.gate = gate
        self.time = time
        self.clock = clock
        self.logger = logger
        self.health = health
        self.publish = publish
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await queues.housekeeper.stoppingWithTask {
            var heartbeatDue = time.uptime
            var isCleaning = true
            var wasSet = false
            var wakeAt = time.now
            var databaseErrors = DatabaseErrorReporter(logger: logger)
            var growth = LogGrowth(logger: logger)
            while await !queues.housekeeper.take(until: wakeAt, time: time).isStopping {
                let (now, uptime, trusted) = (time.now, time.uptime, clock.trustedNow())
                wasSet = clock.takeWasSet() || wasSet
                do {
                    if uptime >= heartbeatDue || wasSet {
                        try await store.heartbeat(
                            requestsPerSecond: gate.requestsPerSecond,
                            exposition: await publish(),
                            trusted: trusted,
                            at: now
                        )
                        health.wrote()
                        heartbeatDue = uptime + Self.heartbeatInterval
                        isCleaning = true
                        if wasSet { try await store.boundDefaultRunTimes(at: now) }
                        if try await store.boundDueTimes(by: rules(), at: now) || wasSet { queues.wakeAll() }
                        wasSet = false
                        try await wakeWhatIsDue(at: now)
                    }
                    let (expired, next) = try await store.expire(at: trusted)
                    for job in expired {
                        logger.warning("Job expired", metadata: [LogKeys.jobID: "\(job.rawValue)"])
                    }
                    if !expired.isEmpty { queues.jobLogger.wake() }
                    if isCleaning { isCleaning = try await deleteSlice(at: trusted) }
                    let log = try await store.emptyLog()
                    growth.noted(log)
                    databaseErrors.passed()
                    let pauses = [
                        heartbeatDue - uptime, next.map { $0 - trusted }, log.isLarge ? Self.logInterval : nil,
                    ]
                    wakeAt = isCleaning ? now : now + (pauses.compactMap(\.self).min() ?? .zero)
                } catch let error as StoreError {
                    throw error
                } catch {
                    health.failed(error)
                    wakeAt = now + databaseErrors.failed(error)
                }
            }
        }
    }

    private func wakeWhatIsDue(at now: Timestamp) async throws {
        let due = try await store.dueWork(at: now)
        queues.progress.noteDue(due.planning, .planner)
        queues.progress.noteDue(due.submission, .submitter)
        queues.progress.noteDue(due.polling, .poller)
        if due.planning { queues.planner.wake() }
        if due.submission { queues.submitter.wake() }
        if due.polling { queues.poller.wake() }
    }

    /// Deletes a little of what is past the retention; `false` when there is nothing.
    private func deleteSlice(at now: Timestamp) async throws -> Bool {
        let deletion = try await store.deleteFinished(before: retention().map { now + (.zero - $0) })
        if let deletion, deletion.isComplete {
            logger.info(
                "Job deleted: it finished longer ago than retention.finished_jobs",
                metadata: [
                    LogKeys.jobID: "\(deletion.job.rawValue)", LogKeys.instances: "\(deletion.instances)",
                ]
            )
        }
        return deletion != nil
    }
}
