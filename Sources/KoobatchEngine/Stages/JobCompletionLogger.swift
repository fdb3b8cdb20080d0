import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Says of every job that has finished how it ended, of those that run how far they are, and of every job that was paused, resumed or cancelled that it was,
/// whoever did it: the daemon, a rule of the job, or a user with an UPDATE.
///
/// These are changes of the database by its own rules; this only looks. It looks a few times a second at most, and what
/// begins and ends between two looks it does not see.
public struct JobCompletionLogger: Service {
    /// The least time between two looks.
    private static let pause = Duration.milliseconds(250)
    /// A transaction can become visible this much later than the time that it wrote.
    private static let overlap = Duration.seconds(2)
    /// The least time between two lines about the progress of a job.
    private static let progressPause = Duration.seconds(60)
    /// Jobs whose progress is told at once.
    private static let progressLines = 20

    private let store: Store
    private let queues: StageQueues
    private let time: EngineTime
    private let logger: Logger
    private let metrics = EngineMetrics()

    /// Creates a logger of jobs; it does nothing before `run()`.
    public init(store: Store, queues: StageQueues, time: EngineTime, logger: Logger) {
        self.store = store
        self.queues = queues
        self.time = time
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation, and looks once more then.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await queues.jobLogger.stoppingWithTask {
            var memory = try await begin()
            var isStopping = false
            while !isStopping {
                isStopping = await queues.jobLogger.take(time: time).isStopping
                try await look(&memory, at: time.now)
                if !isStopping { _ = await time.sleep(until: time.now + Self.pause) }
            }
        }
    }

    /// What is known between two looks.
    struct Memory {
        var since: Timestamp
        /// Jobs that are told of already.
        var said: Set<FinishedJob>
        var stopped: [CommandJobID: StoppedJob]?
        var progress: Set<RunningJob> = []
        var progressAt: Timestamp
    }

    /// What is so when the daemon begins is not told.
    func begin() async throws -> Memory {
        let now = time.now
        // A time that is to come was written by a clock that was ahead.
        return Memory(
            since: now,
            said: try await lookAtFinished(since: now),
            stopped: try await lookAtStopped(),
            progressAt: now
        )
    }

    /// Says what has happened since the last look.
    func look(_ memory: inout Memory, at now: Timestamp) async throws {
        do {
            if now < memory.since { memory.since = now + (.zero - Self.overlap) }
            let finished = try await store.jobsFinished(since: memory.since)
            for job in finished where !memory.said.contains(job) { announce(job) }
            memory.since = max(memory.since, now + (.zero - Self.overlap))
            memory.said = Set(finished.filter { $0.finishedAt >= memory.since })
            memory.stopped = try await tellOfStopped(since: memory.stopped)
            if now >= memory.progressAt + Self.progressPause || now < memory.progressAt {
                memory.progress = try await tellOfProgress(since: memory.progress)
                memory.progressAt = now
            }
        } catch let error as StoreError {
            throw error
        } catch {
            // The stages that write say so; the next look makes up for it.
        }
    }

    /// What has finished; nothing while the database does not tell.
    private func lookAtFinished(since time: Timestamp) async throws -> Set<FinishedJob> {
        do {
            return Set(try await store.jobsFinished(since: time + Self.overlap))
        } catch let error as StoreError {
            throw error
        } catch {
            return []
        }
    }

    /// What is paused or cancelled now; `nil` while the database does not tell.
    private func lookAtStopped() async throws -> [CommandJobID: StoppedJob]? {
        do {
            return try await tellOfStopped(since: nil)
        } catch let error as StoreError {
            throw error
        } catch {
            return nil
        }
    }

    /// Says what is paused, cancelled or resumed now and was not at the last look; without one nothing.
    private func tellOfStopped(
        since last: [CommandJobID: StoppedJob]?
    ) async throws -> [CommandJobID: StoppedJob] {
        let known = (last ?? [:]).values.filter { $0.state == .paused }.map(\.id)
        let (stopped, resumed) = try await store.stoppedJobs(known: Set(known))
        if let last {
            for job in stopped where last[job.id] != job { tell(of: job) }
            for id in resumed { logger.info("Job resumed", metadata: [LogKeys.jobID: "\(id.rawValue)"]) }
        }
        return Dictionary(uniqueKeysWithValues: stopped.map { ($0.id, $0) })
    }

    /// Says how far the jobs are that run and that have got on since the last look.
    private func tellOfProgress(since last: Set<RunningJob>) async throws -> Set<RunningJob> {
        let jobs = try await store.runningJobs(limit: Self.progressLines)
        for job in jobs where !last.contains(job) {
            logger.info("Job progress", metadata: Self.metadata(of: job.id, job.instances))
        }
        return Set(jobs)
    }

    private static func metadata(of job: CommandJobID, _ instances: [InstanceState: Int]) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKeys.jobID: "\(job.rawValue)",
            LogKeys.instances: "\(instances.values.reduce(0, +))",
        ]
        for (state, count) in instances { metadata["\(LogKeys.instance).\(state.rawValue)"] = "\(count)" }
        return metadata
    }

    private func tell(of job: StoppedJob) {
        let metadata: Logger.Metadata = [
            LogKeys.jobID: "\(job.id.rawValue)",
            LogKeys.jobReason: "\(job.reason ?? "")",
        ]
        switch job.state {
        case .paused where job.isByRule:
            logger.warning("Job paused by its own rule; operator action required", metadata: metadata)
        case .paused: logger.info("Job paused", metadata: metadata)
        case .cancelled: logger.info("Job cancelled; answers and results in flight are awaited", metadata: metadata)
        default: logger.info("Job expired; answers and results in flight are awaited", metadata: metadata)
        }
    }

    private func announce(_ job: FinishedJob) {
        metrics.finished(job.state)
        var metadata = Self.metadata(of: job.id, job.instances)
        metadata[LogKeys.jobState] = "\(job.state.rawValue)"
        metadata[LogKeys.seconds] = "\(Double(job.duration.wholeMilliseconds) / 1_000)"
        logger.info("Job finished", metadata: metadata)
    }
}
