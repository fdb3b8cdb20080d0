import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Says of every job that has finished how it ended, whoever finished it: the daemon, or a person with an UPDATE.
///
/// The end of a job is a change of the database by its own rules; this only looks. It looks a few times a second at most.
public struct Announcer: Service {
    /// The least time between two looks.
    private static let pause = Duration.milliseconds(250)
    /// A transaction can become visible this much later than the time that it wrote.
    private static let overlap = Duration.seconds(2)

    private let store: Store
    private let inboxes: Inboxes
    private let time: EngineTime
    private let logger: Logger
    private let metrics = EngineMetrics()

    /// Creates an announcer; it does nothing before `run()`.
    public init(store: Store, inboxes: Inboxes, time: EngineTime, logger: Logger) {
        self.store = store
        self.inboxes = inboxes
        self.time = time
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation, and looks once more then.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await inboxes.announcer.stoppingWithTask {
            var said: Set<FinishedJob> = []
            var since = time.now
            var isStopping = false
            while !isStopping {
                isStopping = await inboxes.announcer.take(time: time).isStopping
                do {
                    let now = time.now
                    let finished = try await store.jobsFinished(since: since)
                    for job in finished where !said.contains(job) { announce(job) }
                    since = max(since, now + (.zero - Self.overlap))
                    said = Set(finished.filter { $0.finishedAt >= since })
                } catch let error as StoreError {
                    throw error
                } catch {
                    // The stages that write say so; the next look makes up for it.
                }
                if !isStopping { _ = await time.sleep(until: time.now + Self.pause) }
            }
        }
    }

    private func announce(_ job: FinishedJob) {
        metrics.finished(job.state)
        var metadata: Logger.Metadata = [
            LogKeys.jobID: "\(job.id.rawValue)",
            LogKeys.jobState: "\(job.state.rawValue)",
            LogKeys.instances: "\(job.instances.values.reduce(0, +))",
            LogKeys.seconds: "\(Double(job.duration.wholeMilliseconds) / 1_000)",
        ]
        for (state, count) in job.instances { metadata["\(LogKeys.instance).\(state.rawValue)"] = "\(count)" }
        logger.info("Job finished", metadata: metadata)
    }
}
