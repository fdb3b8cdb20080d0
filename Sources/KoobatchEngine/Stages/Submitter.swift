public import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Sends due chunks and records what comes of them.
///
/// Each turn is one transaction that records the answers that have come and claims chunks for the places that are free;
/// the requests of a turn start when it is on disk, and the next turn does not wait for that. On graceful shutdown it
/// claims nothing more and ends when every answer is recorded; when cancelled, requests in flight end at once as `unknown`,
/// and that is recorded. What the database does not take any more goes to the spool and to the log; see `AnswerKeeper`.
public struct Submitter: Service {
    /// How it works.
    public struct Configuration: Sendable {
        /// Requests in flight at once.
        public let maxInFlight: Int
        /// Instances in a new chunk.
        public let chunkSize: Int
        /// How to decide about chunks.
        public let rules: SubmissionRules

        /// Creates a configuration.
        public init(maxInFlight: Int, chunkSize: Int, rules: SubmissionRules) {
            self.maxInFlight = maxInFlight
            self.chunkSize = chunkSize
            self.rules = rules
        }
    }

    private let settings: @Sendable () -> Configuration
    var configuration: Configuration { settings() }
    let store: Store
    private let service: any CommandService
    let queues: StageQueues
    let gate: RequestGate
    let time: EngineTime
    let logger: Logger

    /// Creates a submitter; it does nothing before `run()`.
    public init(
        configuration: @escaping @Sendable () -> Configuration,
        store: Store,
        service: any CommandService,
        queues: StageQueues,
        gate: RequestGate,
        time: EngineTime,
        logger: Logger
    ) {
        self.settings = configuration
        self.store = store
        self.service = service
        self.queues = queues
        self.gate = gate
        self.time = time
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await queues.submitter.stoppingWithTask {
            // What an earlier daemon left to be recorded again has come before anything is sent.
            var state = SubmissionState(self, earlier: queues.submitter.waiting)
            do {
                try await loop(&state)
                // Of the last turn.
                try state.disk.requireWhole()
            } catch {
                await state.giveUp()
                throw error
            }
        }
    }

    /// A turn whenever something has come or the time has, until the stage is to end and nothing is in flight.
    private func loop(_ state: inout SubmissionState) async throws {
        var wakeAt: Timestamp? = time.now
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let batch = await queues.submitter.take(until: wakeAt, time: time)
                do {
                    let turn = try await state.turn(batch, at: time.now)
                    if let work = turn.work { group.addTask { [disk = state.disk] in await follow(work, disk) } }
                    if turn.isLast { return }
                    wakeAt = turn.wakeAt
                } catch {
                    // The database cannot be relied on any more: nothing is sent, and what is in flight is waited for.
                    while state.missing > 0 { state.take(await queues.submitter.take(time: time).elements) }
                    throw error
                }
            }
        }
    }

    /// Tells what a turn has recorded and sends what it has claimed, once it is on the disk.
    func follow(_ work: SubmissionState.Work, _ disk: BrokenDisk) async {
        do {
            try await store.makeDurable(work.batch)
        } catch {
            disk.fail(error, unsynced: work.recorded.map(\.answer))
            let failure = ServiceFailure(.notSent, errorCode: ServiceFailure.Code.interrupted, message: "\(error)")
            for claim in work.batch.claims {
                queues.submitter.put(AttemptResult(claim: claim, result: .failure(failure), finishedAt: time.now))
            }
            return queues.submitter.wake()
        }
        for (answer, outcome) in work.recorded { log(answer, outcome) }
        for claim in work.batch.claims { logStart(of: claim) }
        await withDiscardingTaskGroup { group in
            for claim in work.batch.claims { group.addTask { await send(claim) } }
        }
    }

    private func send(_ claim: ClaimedChunk) async {
        let result: Result<SubmitResponse, ServiceFailure>
        do {
            result = .success(try await service.submit(claim.request))
        } catch {
            result = .failure(error)
        }
        queues.submitter.put(
            AttemptResult(claim: claim, result: result, finishedAt: time.now)
        )
    }

    private func logStart(of claim: ClaimedChunk) {
        guard let instances = claim.startedInstances else { return }
        logger.info(
            "Job started",
            metadata: [LogKeys.jobID: "\(claim.job.rawValue)", LogKeys.instances: "\(instances)"]
        )
    }

    private func log(_ answer: AttemptResult, _ result: RecordOutcome) {
        // Whatever becomes of the database, the mapping of an acceptance that it does not take is in the log. An autoclosure
        // makes the metadata: of most answers nothing is logged.
        func metadata() -> Logger.Metadata { answer.metadata(withJobIDs: !result.isDecided) }
        switch result {
        case .late:
            logger.log(
                level: answer.isAccepted ? .error : .warning,
                "An answer came too late to change anything",
                metadata: metadata()
            )
        case .impossible(let reason):
            logger.error(
                "An answer cannot be recorded: rows or rules were changed by hand; see koobatch doctor --full",
                metadata: metadata().merging([LogKeys.reason: "\(reason)"]) { $1 }
            )
        case .decided(.accept): logger.debug("Chunk submitted", metadata: metadata())
        case .decided(.cancel), .decided(.split): logger.debug("Chunk not accepted", metadata: metadata())
        case .decided(.retry): logger.warning("Chunk will be retried", metadata: metadata())
        case .decided(.hold):
            logger.error("Chunk on hold; operator action required: see its row in chunks", metadata: metadata())
        // What the API refuses of an instance is its result, as the failure of a command is.
        case .decided(.fail(.rejected)): logger.info("Instance rejected", metadata: metadata())
        case .decided(.fail): logger.error("Chunk failed", metadata: metadata())
        }
    }
}

extension RecordOutcome {
    fileprivate var isDecided: Bool {
        if case .decided = self { true } else { false }
    }
}
