public import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Sends due chunks and records what comes of them.
///
/// Each turn is one transaction that records the answers that have come and claims chunks for the places that are free;
/// the requests of a turn start when it is on disk. On graceful shutdown it claims nothing more and ends when every
/// answer is recorded; when cancelled, requests in flight end at once as `unknown`, and that is recorded. When the database
/// is lost it sends nothing more, and what it was to record goes to the log.
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
    private let inboxes: Inboxes
    private let line: Line
    private let time: EngineTime
    private let logger: Logger
    private let metrics = EngineMetrics()

    /// Creates a submitter; it does nothing before `run()`.
    public init(
        configuration: @escaping @Sendable () -> Configuration,
        store: Store,
        service: any CommandService,
        inboxes: Inboxes,
        line: Line,
        time: EngineTime,
        logger: Logger
    ) {
        self.settings = configuration
        self.store = store
        self.service = service
        self.inboxes = inboxes
        self.line = line
        self.time = time
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await inboxes.submitter.stoppingWithTask { try await loop() }
    }

    private func loop() async throws {
        var inFlight = 0
        var unjudged: [SubmissionAnswer] = []
        var unrecorded: [SubmissionAnswer] = []
        var probe: AttemptID?
        // The last claim had no place left for more.
        var mayHaveMore = false
        var wakeAt: Timestamp? = time.now
        var trouble = Trouble(logger: logger)
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let mail = await inboxes.submitter.take(until: wakeAt, time: time)
                let now = time.now
                unjudged += mail.elements
                if mail.isStopping, inFlight == 0 { return }
                do {
                    unrecorded += try await judge(unjudged, probe: probe, at: now)
                    unjudged = []
                    let isClaiming = !mail.isStopping && store.isSoleOwner
                    let free = isClaiming ? configuration.maxInFlight - inFlight + unrecorded.count : 0
                    let due = free > 0 ? (mayHaveMore ? now : try await store.nextSubmission(at: now)) : nil
                    let wanted = due.map { $0 <= now } ?? false ? free : 0
                    let admission = line.admit(wanted, for: .submission, at: now)
                    let turn = try await self.turn(unrecorded, admission, nextDue: due, at: now)
                    mayHaveMore = admission.places > 0 && turn.claims.count == admission.places
                    if admission.isProbe { probe = turn.claims.first?.attempt }
                    for (answer, result) in zip(unrecorded, turn.decisions) { log(answer, result) }
                    // An acceptance is never dropped: what cannot be recorded now is tried again.
                    let kept =
                        zip(unrecorded, turn.decisions).filter { $0.isAccepted && $1.isImpossible }.map(\.0)
                        + unrecorded.dropFirst(turn.decisions.count)
                    inFlight += turn.claims.count - unrecorded.count + kept.count
                    metrics.planned(turn.claims.count(where: \.isNew))
                    if unrecorded.contains(where: \.isAccepted) { inboxes.poller.ring() }
                    // A refusal can be the one that shows the command to be refused.
                    if unrecorded.contains(where: { !$0.isAccepted }) { inboxes.planner.ring() }
                    if !unrecorded.isEmpty { inboxes.announcer.ring() }
                    unrecorded = kept
                    if mail.isStopping, inFlight == kept.count { return }
                    trouble.passed()
                    for claim in turn.claims { logStart(of: claim) }
                    for claim in turn.claims { group.addTask { await send(claim) } }
                    let held = admission.places < wanted ? line.nextLook(at: now) : nil
                    // An answer can make more due at once: the halves of a split chunk, what waited for the first acceptance.
                    let more = !turn.decisions.isEmpty && turn.claims.count < free ? now : nil
                    let again = kept.isEmpty ? nil : now + Self.pauseBeforeRecordingAgain
                    wakeAt = [turn.nextDue.flatMap { $0 > now ? $0 : nil }, held, more, again].compactMap(\.self).min()
                } catch let error as StoreError {
                    await logUnrecorded(unrecorded + unjudged, of: inFlight)
                    throw error
                } catch {
                    mayHaveMore = false
                    // Nothing is lost: the answers are kept, and claims of an aborted transaction never existed.
                    wakeAt = now + trouble.failed(error)
                }
                if mail.isStopping, inFlight == 0 { return }
            }
        }
    }

    /// Says of the answers to all that is in flight that they are not recorded, once each has come: whatever becomes of the
    /// database, the mapping is in the log.
    private func logUnrecorded(_ answers: [SubmissionAnswer], of inFlight: Int) async {
        var (answers, awaited) = (answers, inFlight)
        while true {
            for answer in answers {
                var metadata = metadata(of: answer)
                if case .success(let accepted) = answer.result { metadata[LogKeys.jobIDs] = "\(accepted.jobIDs)" }
                metadata[LogKeys.instanceIDs] = "\(answer.claim.request.instances.json)"
                logger.error("An answer is not recorded, because the database cannot be relied on", metadata: metadata)
            }
            awaited -= answers.count
            if awaited <= 0 { return }
            answers = await inboxes.submitter.take(time: time).elements
        }
    }

    /// The answers as the error policies judge them; the line has heard of each then.
    private func judge(
        _ answers: [SubmissionAnswer],
        probe: AttemptID?,
        at now: Timestamp
    ) async throws -> [SubmissionAnswer] {
        guard !answers.isEmpty else { return [] }
        let policies = try await store.errorPolicies(for: answers.compactMap(\.result.failure))
        var judged: [SubmissionAnswer] = []
        for answer in answers {
            let failure = await line.take(
                answer.result.failure,
                isProbe: answer.claim.attempt == probe,
                isQuery: false,
                policies: policies,
                renewing: service,
                at: now
            )
            judged.append(failure.map(answer.failing) ?? answer)
        }
        return judged
    }

    /// One transaction, or none where there is nothing to record and nothing to claim.
    private func turn(
        _ answers: [SubmissionAnswer],
        _ admission: Line.Admission,
        nextDue: Timestamp?,
        at now: Timestamp
    ) async throws -> SubmissionTurn {
        var claimed = 0
        defer { line.started(claimed, of: admission, by: .submission, at: now) }
        if answers.isEmpty, admission.places == 0 {
            return SubmissionTurn(decisions: [], claims: [], nextDue: nextDue)
        }
        let turn = try await store.submissionTurn(
            answers: answers,
            isCharged: !line.isEndpointFailing,
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

    private func send(_ claim: ClaimedChunk) async {
        let result: Result<SubmitAnswer, ServiceFailure>
        do {
            result = .success(try await service.submit(claim.request))
        } catch {
            result = .failure(error)
        }
        inboxes.submitter.put(
            SubmissionAnswer(claim: claim, result: result, finishedAt: time.now)
        )
    }

    private func logStart(of claim: ClaimedChunk) {
        guard let instances = claim.startedInstances else { return }
        logger.info(
            "Job started",
            metadata: [LogKeys.jobID: "\(claim.job.rawValue)", LogKeys.instances: "\(instances)"]
        )
    }

    private func metadata(of answer: SubmissionAnswer) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKeys.jobID: "\(answer.claim.job.rawValue)",
            LogKeys.chunkID: "\(answer.claim.chunk.rawValue)",
            LogKeys.requestID: "\(answer.claim.request.requestID.rawValue)",
        ]
        switch answer.result {
        case .success(let accepted):
            metadata[LogKeys.taskID] = "\(accepted.taskID)"
            metadata[LogKeys.instances] = "\(answer.claim.request.instances.count - accepted.missing.count)"
        case .failure(let failure):
            metadata[LogKeys.outcome] = "\(failure.outcome.rawValue)"
            metadata[LogKeys.code] = "\(failure.errorCode)"
            metadata[LogKeys.message] = "\(failure.message)"
        }
        return metadata
    }

    private func log(_ answer: SubmissionAnswer, _ result: RecordedAnswer) {
        var metadata = metadata(of: answer)
        switch result {
        case .late:
            logger.warning("An answer came too late to change anything", metadata: metadata)
        case .impossible(let reason):
            metadata[LogKeys.reason] = "\(reason)"
            // Whatever becomes of the database, the mapping is in the log.
            if case .success(let accepted) = answer.result { metadata[LogKeys.jobIDs] = "\(accepted.jobIDs)" }
            logger.error(
                "An answer cannot be recorded: rows or rules were changed by hand; see koobatch doctor --full",
                metadata: metadata
            )
        case .decided(.accept): logger.debug("Chunk submitted", metadata: metadata)
        case .decided(.cancel), .decided(.split): logger.debug("Chunk not accepted", metadata: metadata)
        case .decided(.retry): logger.warning("Chunk will be retried", metadata: metadata)
        case .decided(.hold): logger.error("Chunk on hold: a person decides", metadata: metadata)
        // What the API refuses of an instance is its result, as the failure of a command is.
        case .decided(.fail(.rejected)): logger.info("Instance rejected", metadata: metadata)
        case .decided(.fail): logger.error("Chunk failed", metadata: metadata)
        }
    }
}

extension RecordedAnswer {
    fileprivate var isImpossible: Bool {
        if case .impossible = self { true } else { false }
    }
}

extension SubmissionAnswer {
    fileprivate var isAccepted: Bool { result.failure == nil }

    fileprivate func failing(_ failure: ServiceFailure) -> SubmissionAnswer {
        SubmissionAnswer(claim: claim, result: .failure(failure), finishedAt: finishedAt)
    }
}
