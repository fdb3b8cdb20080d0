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

    /// How long an acceptance that cannot be recorded is kept before it is tried again.
    private static let pauseBeforeRecordingAgain = Duration.seconds(2)

    private let settings: @Sendable () -> Configuration
    private var configuration: Configuration { settings() }
    private let store: Store
    private let service: any CommandService
    private let queues: StageQueues
    private let gate: RequestGate
    private let time: EngineTime
    private let logger: Logger
    private let metrics = EngineMetrics()

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
            let earlier = queues.submitter.waiting
            var keeper = AnswerKeeper(spool: store.spool, spooled: earlier, losses: queues.losses, logger: logger)
            let disk = BrokenDisk()
            do {
                try await loop(inFlight: earlier.count, &keeper, disk)
                // Of the last turn.
                try disk.requireWhole()
            } catch {
                // What came when nobody recorded it any more, and what is recorded and may not be on the disk.
                let answers = disk.unsynced + queues.submitter.waiting
                await keeper.giveUp(answers)
                throw error
            }
        }
    }

    private func loop(inFlight earlier: Int, _ keeper: inout AnswerKeeper, _ disk: BrokenDisk) async throws {
        var inFlight = earlier
        var unprocessed: [AttemptResult] = []
        var unrecorded: [AttemptResult] = []
        var probe: AttemptID?
        // The last claim had no place left for more.
        var mayHaveMore = false
        var wakeAt: Timestamp? = time.now
        var databaseErrors = DatabaseErrorReporter(logger: logger)
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let batch = await queues.submitter.take(until: wakeAt, time: time)
                let now = time.now
                unprocessed += batch.elements
                if batch.isStopping, inFlight == 0 { return }
                do {
                    try disk.requireWhole()
                    unrecorded += try await applyPolicies(unprocessed, probe: probe, at: now)
                    unprocessed = []
                    let isClaiming = !batch.isStopping && store.isSoleOwner
                    let free = isClaiming ? configuration.maxInFlight - inFlight + unrecorded.count : 0
                    let due = free > 0 ? (mayHaveMore ? now : try await store.nextSubmission(at: now)) : nil
                    let wanted = due.map { $0 <= now } ?? false ? free : 0
                    let admission = gate.admit(wanted, for: .submission, at: now)
                    let turn = try await self.turn(unrecorded, admission, nextDue: due, at: now)
                    mayHaveMore = admission.places > 0 && turn.claims.count == admission.places
                    if admission.isProbe { probe = turn.claims.first?.attempt }
                    if !(turn.decisions.isEmpty && turn.claims.isEmpty) {
                        let told = zip(unrecorded, turn.decisions).map { ($0, $1) }
                        group.addTask { await follow(turn, told, disk) }
                    }
                    // An acceptance is never dropped: what cannot be recorded now is tried again.
                    let kept =
                        zip(unrecorded, turn.decisions).filter { $0.isAccepted && $1.isImpossible }.map(\.0)
                        + unrecorded.dropFirst(turn.decisions.count)
                    inFlight += turn.claims.count - unrecorded.count + kept.count
                    metrics.planned(turn.claims.count(where: \.isNew))
                    if unrecorded.contains(where: \.isAccepted) { queues.poller.wake() }
                    // A refusal can be the one that shows the command to be refused.
                    if unrecorded.contains(where: { !$0.isAccepted }) { queues.planner.wake() }
                    if !unrecorded.isEmpty { queues.jobLogger.wake() }
                    unrecorded = kept
                    await keeper.keep(kept)
                    if kept.isEmpty, keeper.keepsAny {
                        try await store.makeDurable(turn)
                        await keeper.recorded()
                    }
                    if batch.isStopping, inFlight == kept.count { return }
                    databaseErrors.passed()
                    let held = admission.places < wanted ? gate.nextLook(at: now) : nil
                    // An answer can make more due at once: the halves of a split chunk, what waited for the first acceptance.
                    let more = !turn.decisions.isEmpty && turn.claims.count < free ? now : nil
                    let again = kept.isEmpty ? nil : now + Self.pauseBeforeRecordingAgain
                    wakeAt = [turn.nextDue.flatMap { $0 > now ? $0 : nil }, held, more, again].compactMap(\.self).min()
                } catch let error as StoreError {
                    // The database cannot be relied on any more: nothing is sent, and what is in flight is waited for.
                    var answers = unrecorded + unprocessed
                    while answers.count < inFlight { answers += await queues.submitter.take(time: time).elements }
                    await keeper.giveUp(answers)
                    throw error
                } catch {
                    let answers = unrecorded + unprocessed
                    await keeper.keep(answers)
                    mayHaveMore = false
                    // Nothing is lost: the answers are kept, and claims of an aborted transaction never existed.
                    wakeAt = now + databaseErrors.failed(error)
                    if Task.isCancelled {
                        // The grace is over: this was the last time for those that have come.
                        if answers.count == inFlight { return await keeper.giveUp(answers) }
                        wakeAt = nil
                    }
                }
                if batch.isStopping, inFlight == 0 { return }
            }
        }
    }

    /// Applies the error policies, then updates the request gate.
    private func applyPolicies(
        _ answers: [AttemptResult],
        probe: AttemptID?,
        at now: Timestamp
    ) async throws -> [AttemptResult] {
        guard !answers.isEmpty else { return [] }
        let policies = try await store.errorPolicies(for: answers.compactMap(\.result.failure))
        var classified: [AttemptResult] = []
        for answer in answers {
            let failure = await gate.take(
                answer.result.failure,
                isProbe: answer.claim.attempt == probe,
                isQuery: false,
                policies: policies,
                renewing: service,
                at: now
            )
            classified.append(failure.map(answer.failing) ?? answer)
        }
        return classified
    }

    /// One transaction, or none where there is nothing to record and nothing to claim.
    private func turn(
        _ answers: [AttemptResult],
        _ admission: RequestGate.Admission,
        nextDue: Timestamp?,
        at now: Timestamp
    ) async throws -> SubmissionBatch {
        var claimed = 0
        defer { gate.started(claimed, of: admission, by: .submission, at: now) }
        if answers.isEmpty, admission.places == 0 {
            return SubmissionBatch(decisions: [], claims: [], nextDue: nextDue)
        }
        let turn = try await store.submissionBatch(
            answers: answers,
            isCharged: !gate.isEndpointFailing,
            places: admission.places,
            isProbe: admission.isProbe,
            chunkSize: configuration.chunkSize,
            rules: configuration.rules,
            at: now,
            generator: SystemRandomNumberGenerator()
        )
        claimed = turn.claims.count
        return turn
    }

    /// Tells what a turn has recorded and sends what it has claimed, once it is on the disk.
    private func follow(
        _ turn: SubmissionBatch,
        _ decisions: [(AttemptResult, RecordOutcome)],
        _ disk: BrokenDisk
    ) async {
        do {
            try await store.makeDurable(turn)
        } catch {
            disk.fail(error, unsynced: decisions.map(\.0))
            let failure = ServiceFailure(.notSent, errorCode: ServiceFailure.Code.interrupted, message: "\(error)")
            for claim in turn.claims {
                queues.submitter.put(AttemptResult(claim: claim, result: .failure(failure), finishedAt: time.now))
            }
            return queues.submitter.wake()
        }
        for (answer, result) in decisions { log(answer, result) }
        for claim in turn.claims { logStart(of: claim) }
        await withDiscardingTaskGroup { group in
            for claim in turn.claims { group.addTask { await send(claim) } }
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

    fileprivate var isImpossible: Bool {
        if case .impossible = self { true } else { false }
    }
}

extension AttemptResult {
    fileprivate func failing(_ failure: ServiceFailure) -> AttemptResult {
        AttemptResult(claim: claim, result: .failure(failure), finishedAt: finishedAt)
    }
}
