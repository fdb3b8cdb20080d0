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
    var configuration: Configuration { settings() }
    let store: Store
    private let service: any CommandService
    let queues: StageQueues
    let gate: RequestGate
    private let time: EngineTime
    private let clock: ClockWatch
    let logger: Logger

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
        try await queues.poller.stoppingWithTask {
            var state = PollingState(self)
            var wakeAt: Timestamp? = time.now
            try await withThrowingDiscardingTaskGroup { group in
                while true {
                    let batch = await queues.poller.take(until: wakeAt, time: time)
                    let turn = try await state.turn(batch, at: time.now)
                    for poll in turn.queries { group.addTask { await ask(poll) } }
                    if turn.isLast { return }
                    wakeAt = turn.wakeAt
                }
            }
        }
    }

    /// Asks for the results of a task, and puts the answer into the queue.
    func ask(_ poll: DuePoll) async {
        // Passed on by reference, a generator without size has ThreadSanitizer follow an address that is none.
        var generator: any RandomNumberGenerator = SystemRandomNumberGenerator()
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

    /// Records answers, and says what came of them.
    func record(_ answers: [Classified<PollAnswer>], at now: Timestamp) async throws {
        let results = try await store.recordResults(
            answers,
            schedule: configuration.schedule,
            trusted: clock.trustedNow(),
            at: now
        )
        for (answer, result) in zip(answers.map(\.answer), results) {
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
