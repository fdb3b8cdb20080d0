import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Ends jobs whose time has passed, deletes those past the retention, and writes the daemon's heartbeat.
///
/// With each heartbeat it wakes the stages that have work which is due: the one net under lost wake-ups, so that none delays
/// anything for longer.
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
    private let publish: @Sendable () async -> String?

    /// Creates a housekeeper; it does nothing before `run()`.
    ///
    /// - Parameters:
    ///   - retention: how long finished jobs are kept; `nil` keeps them for ever.
    ///   - rules: the bounds of what is put off.
    ///   - clock: what deletions and expiry go by.
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
        self.publish = publish
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await queues.housekeeper.stoppingWithTask {
            var state = State(heartbeatDue: time.uptime, logger: logger)
            var wakeAt = time.now
            while await !queues.housekeeper.take(until: wakeAt, time: time).isStopping {
                wakeAt = try await turn(&state)
            }
        }
    }

    /// What the housekeeper knows between two turns.
    struct State {
        /// By the clock that is never set.
        var heartbeatDue: Duration
        /// The wall clock was set, and nothing was done about it yet.
        var wasSet = false
        var databaseErrors: DatabaseErrorReporter
        var growth: LogGrowth

        init(heartbeatDue: Duration, logger: Logger) {
            self.heartbeatDue = heartbeatDue
            databaseErrors = DatabaseErrorReporter(logger: logger)
            growth = LogGrowth(logger: logger)
        }
    }

    /// One turn.
    ///
    /// - Returns: when to look again without a wake-up.
    /// - Throws: `StoreError` when the database cannot be relied on any more; every other error is met by trying again.
    func turn(_ state: inout State) async throws -> Timestamp {
        let (now, uptime, trusted) = (time.now, time.uptime, clock.trustedNow())
        state.wasSet = clock.takeWasSet() || state.wasSet
        let isHeartbeat = uptime >= state.heartbeatDue || state.wasSet
        do {
            if isHeartbeat {
                try await store.heartbeat(
                    requestsPerSecond: gate.requestsPerSecond,
                    exposition: await publish(),
                    trusted: trusted,
                    at: now
                )
                queues.supervision.wroteHeartbeat()
                state.heartbeatDue = uptime + Self.heartbeatInterval
                if state.wasSet { try await store.boundDefaultRunTimes(at: now) }
            }
            let outlook = try await store.outlook(rules: rules(), retention: retention(), trusted: trusted, at: now)
            if isHeartbeat {
                if outlook.isPutOff { _ = try await store.boundDueTimes(by: rules(), at: now) }
                if outlook.isPutOff || state.wasSet { queues.changed(.anything) }
                state.wasSet = false
                wakeWhatIsDue(outlook)
            }
            if outlook.expiry { try await expire(at: trusted) }
            let isDeleting = outlook.deletion ? try await deleteSlice(at: trusted) : false
            let log = try await store.emptyLog()
            state.growth.noted(log)
            state.databaseErrors.passed()
            let pauses = [
                state.heartbeatDue - uptime, outlook.nextExpiry.map { $0 - trusted },
                log.isLarge ? Self.logInterval : nil,
            ]
            return isDeleting ? now : now + (pauses.compactMap(\.self).min() ?? .zero)
        } catch let error as StoreError {
            throw error
        } catch {
            queues.supervision.couldNotWrite(error)
            return now + state.databaseErrors.failed(error)
        }
    }

    private func wakeWhatIsDue(_ outlook: Outlook) {
        let due: [(stage: Supervision.Stage, isDue: Bool)] = [
            (.planner, outlook.planning), (.submitter, outlook.submission), (.poller, outlook.polling),
        ]
        for (stage, isDue) in due { queues.supervision.noteDue(isDue, stage) }
        queues.wake(Set(due.filter(\.isDue).map(\.stage)))
    }

    private func expire(at trusted: Timestamp) async throws {
        let expired = try await store.expire(at: trusted).expired
        for job in expired { logger.warning("Job expired", metadata: [LogKeys.jobID: "\(job.rawValue)"]) }
        if !expired.isEmpty { queues.changed(.expiry) }
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
