public import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Sends due chunks and records what comes of them.
///
/// Each turn is one transaction that records the answers that have come and claims chunks for the places that are free;
/// the requests of a turn start when it is on disk. On graceful shutdown it claims nothing more and ends when every
/// answer is recorded; when cancelled, requests in flight end at once as `unknown`, and that is recorded.
public struct Submitter: Service {
    /// How it works.
    public struct Configuration: Sendable {
        /// Requests in flight at once.
        public let maxInFlight: Int
        /// How to decide about chunks.
        public let rules: SubmissionRules

        /// Creates a configuration.
        public init(maxInFlight: Int, rules: SubmissionRules) {
            self.maxInFlight = maxInFlight
            self.rules = rules
        }
    }

    private let configuration: Configuration
    private let store: Store
    private let service: any CommandService
    private let inboxes: Inboxes
    private let line: Line
    private let time: EngineTime
    private let logger: Logger

    /// Creates a submitter; it does nothing before `run()`.
    public init(
        configuration: Configuration,
        store: Store,
        service: any CommandService,
        inboxes: Inboxes,
        line: Line,
        time: EngineTime,
        logger: Logger
    ) {
        self.configuration = configuration
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
        var unrecorded: [SubmissionAnswer] = []
        var wakeAt: Timestamp? = time.now
        var trouble = Trouble(logger: logger)
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let mail = await inboxes.submitter.take(until: wakeAt, time: time)
                let now = time.now
                unrecorded += mail.elements
                for answer in mail.elements { await line.note(answer.failure, at: now) }
                if mail.isStopping, unrecorded.isEmpty, inFlight == 0 { return }
                let free = mail.isStopping ? 0 : configuration.maxInFlight - inFlight + unrecorded.count
                do {
                    let due = free > 0 ? try await store.nextSubmission(at: now) : nil
                    let wanted = due.map { $0 <= now } ?? false ? free : 0
                    let places = line.allowance(of: wanted, for: .submission, at: now)
                    let turn = try await self.turn(unrecorded, places: places, nextDue: due, at: now)
                    for (answer, decision) in zip(unrecorded, turn.decisions) { await recorded(answer, decision) }
                    inFlight += turn.claims.count - unrecorded.count
                    if unrecorded.contains(where: \.isAccepted) { inboxes.poller.ring() }
                    unrecorded = []
                    trouble.passed()
                    line.started(turn.claims.count, by: .submission, at: now)
                    for claim in turn.claims { group.addTask { await send(claim) } }
                    let held = places < wanted ? line.nextLook(at: now) : nil
                    // The halves of a split chunk are due at once, and a chunk that is no longer in flight leaves its
                    // place under max_concurrency to the next.
                    let freed = turn.decisions.contains { $0 != nil && $0 != .accept } ? now : nil
                    wakeAt = [turn.nextDue.flatMap { $0 > now ? $0 : nil }, held, freed].compactMap(\.self).min()
                } catch let error as StoreError {
                    throw error
                } catch {
                    // Nothing is lost: the answers are kept, and claims of an aborted transaction never existed.
                    wakeAt = now + trouble.failed(error)
                }
                if mail.isStopping, inFlight == 0, unrecorded.isEmpty { return }
            }
        }
    }

    /// One transaction, or none where there is nothing to record and nothing to claim.
    private func turn(
        _ answers: [SubmissionAnswer],
        places: Int,
        nextDue: Timestamp?,
        at now: Timestamp
    ) async throws -> SubmissionTurn {
        if answers.isEmpty, places == 0 { return SubmissionTurn(decisions: [], claims: [], nextDue: nextDue) }
        return try await store.submissionTurn(
            answers: answers,
            isCharged: !line.isEndpointFailing,
            places: places,
            rules: configuration.rules,
            at: now,
            generator: SystemRandomNumberGenerator()
        )
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

    private func recorded(_ answer: SubmissionAnswer, _ decision: SubmissionDecision?) async {
        var metadata: Logger.Metadata = [
            LogKeys.jobID: "\(answer.claim.job.rawValue)",
            LogKeys.chunkID: "\(answer.claim.chunk.rawValue)",
            LogKeys.requestID: "\(answer.claim.request.requestID.rawValue)",
        ]
        guard let decision else {
            return logger.warning("An answer came too late to change anything", metadata: metadata)
        }
        switch answer.result {
        case .success(let accepted):
            metadata[LogKeys.taskID] = "\(accepted.taskID)"
            metadata[LogKeys.instances] = "\(accepted.jobIDs.count)"
            logger.info("Chunk submitted", metadata: metadata)
        case .failure(let failure):
            metadata[LogKeys.outcome] = "\(failure.outcome.rawValue)"
            metadata[LogKeys.code] = "\(failure.errorCode)"
            metadata[LogKeys.message] = "\(failure.message)"
            switch decision {
            case .accept, .cancel, .split: logger.info("Chunk not accepted", metadata: metadata)
            case .retry: logger.warning("Chunk will be retried", metadata: metadata)
            case .hold: logger.error("Chunk on hold: a person decides", metadata: metadata)
            case .fail: logger.error("Chunk failed", metadata: metadata)
            }
            // A refusal after which nothing is charged is one that concerns everything: policy stop or authenticate.
            if failure.outcome == .refused, !failure.isOfEndpoint, case .retry(_, charged: false) = decision {
                await line.note(failure, concernsEverything: true, at: time.now)
            }
        }
    }
}

extension SubmissionAnswer {
    fileprivate var failure: ServiceFailure? {
        if case .failure(let failure) = result { failure } else { nil }
    }

    fileprivate var isAccepted: Bool { failure == nil }
}
