public import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Asks for the results of submitted chunks and records them.
///
/// Asking twice is harmless, so nothing is claimed in the database: a crash costs a repeated query.
public struct Poller: Service {
    /// How it works.
    public struct Configuration: Sendable {
        /// Queries in flight at once.
        public let maxInFlight: Int
        /// When to ask.
        public let schedule: PollSchedule

        /// Creates a configuration.
        public init(maxInFlight: Int, schedule: PollSchedule) {
            self.maxInFlight = maxInFlight
            self.schedule = schedule
        }
    }

    private let settings: @Sendable () -> Configuration
    private var configuration: Configuration { settings() }
    private let store: Store
    private let service: any CommandService
    private let queues: StageQueues
    private let gate: RequestGate
    private let time: EngineTime
    private let clock: ClockWatch
    private let logger: Logger

    /// Creates a poller; it does nothing before `run()`.
    public init(
        configuration: @escaping @Sendable () -> Configuration,
        store: Store,
        service: any CommandService,
        queues: StageQueues,
        gate: RequestGate,
        time: EngineTime,
        clock: ClockWatch,
        logger: Logger
    ) {
        self.settings = configuration
        self.store = store
        self.service = service
        self.queues = queues
        self.gate = gate
        self.time = time
        self.clock = clock
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await queues.poller.stoppingWithTask { try await loop() }
    }

    private func loop() async throws {
        var busy: Set<ChunkID> = []
        var unprocessed: [PollAnswer] = []
        var unrecorded: [PollAnswer] = []
        var probe: ChunkID?
        var wakeAt: Timestamp? = time.now
        var databaseErrors = DatabaseErrorReporter(logger: logger)
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let batch = await queues.poller.take(until: wakeAt, time: time)
                let now = time.now
                unprocessed += batch.elements
                do {
                    try await applyPolicies(unprocessed, probe: probe, at: now)
                    if unprocessed.contains(where: { $0.poll.chunk == probe }) { probe = nil }
                    unrecorded += unprocessed
                    unprocessed = []
                    if !unrecorded.isEmpty {
                        try await record(unrecorded, at: now)
                        busy.subtract(unrecorded.map(\.poll.chunk))
                        unrecorded = []
                        // Results can finish a canary or free a place under max_concurrency.
                        queues.planner.wake()
                        queues.submitter.wake()
                        queues.jobLogger.wake()
                    }
                    if batch.isStopping, busy.isEmpty { return }
                    let free = batch.isStopping ? 0 : configuration.maxInFlight - busy.count
                    let (due, next) = try await store.duePolls(at: now, places: free, busy: busy)
                    let admission = gate.admit(due.count, for: .poll, at: now)
                    gate.started(admission.places, of: admission, by: .poll, at: now)
                    if admission.isProbe { probe = due.first?.chunk }
                    for poll in due.prefix(admission.places) {
                        busy.insert(poll.chunk)
                        group.addTask { await ask(poll) }
                    }
                    databaseErrors.passed()
                    let held = admission.places < due.count ? gate.nextLook(at: now) : nil
                    wakeAt = [next, held].compactMap(\.self).min()
                } catch let error as StoreError {
                    throw error
                } catch {
                    wakeAt = now + databaseErrors.failed(error)
                    guard batch.isStopping else { continue }
                    // What they say is asked for again after the next start: no reason to stay.
                    busy.subtract((unrecorded + unprocessed).map(\.poll.chunk))
                    (unrecorded, unprocessed) = ([], [])
                    if busy.isEmpty { return }
                }
            }
        }
    }

    /// Applies the error policies, then updates the request gate.
    private func applyPolicies(_ answers: [PollAnswer], probe: ChunkID?, at now: Timestamp) async throws {
        guard !answers.isEmpty else { return }
        let policies = try await store.errorPolicies(for: answers.compactMap(\.result.failure))
        for answer in answers {
            _ = await gate.take(
                answer.result.failure,
                isProbe: answer.poll.chunk == probe,
                isQuery: true,
                policies: policies,
                renewing: service,
                at: now
            )
        }
    }

    private func ask(_ poll: DuePoll) async {
        var generator = SystemRandomNumberGenerator()
        let result: Result<TaskReport, ServiceFailure>
        do {
            result = .success(
                try await service.query(taskID: poll.taskID, requestID: .random(using: &generator))
            )
        } catch {
            result = .failure(error)
        }
        queues.poller.put(PollAnswer(poll: poll, result: result, finishedAt: time.now))
    }

    private func record(_ answers: [PollAnswer], at now: Timestamp) async throws {
        let results = try await store.recordResults(
            answers,
            schedule: configuration.schedule,
            trusted: clock.trustedNow(),
            at: now
        )
        for (answer, result) in zip(answers, results) {
            func metadata(_ more: Logger.Metadata) -> Logger.Metadata {
                let known: Logger.Metadata = [
                    LogKeys.jobID: "\(answer.poll.job.rawValue)",
                    LogKeys.chunkID: "\(answer.poll.chunk.rawValue)",
                    LogKeys.taskID: "\(answer.poll.taskID)",
                ]
                return known.merging(more) { $1 }
            }
            if case .impossible(let reason) = result {
                logger.error(
                    "Results cannot be recorded: rows or rules were changed by hand; see koobatch doctor --full",
                    metadata: metadata([LogKeys.reason: "\(reason)"])
                )
            } else if case .failure(let failure) = answer.result {
                logger.warning(
                    "Result query failed",
                    metadata: metadata([LogKeys.code: "\(failure.errorCode)", LogKeys.message: "\(failure.message)"])
                )
            } else if let ended = result.ended, ended > 0 {
                logger.debug("Results recorded", metadata: metadata([LogKeys.instances: "\(ended)"]))
            }
        }
    }
}
