import KoobatchCore
import KoobatchStore

/// What the submitter knows between two turns: what is in flight, and the answers that the database has not taken yet.
struct SubmissionState {
    /// What is to be done once a turn is on the disk; the next turn does not wait for it.
    struct Work: Sendable {
        /// The turn: its claims are to be sent.
        let batch: SubmissionBatch
        /// The answers that it recorded, and what became of them: to be told.
        let recorded: [(answer: AttemptResult, outcome: RecordOutcome)]
    }

    /// What a turn comes to.
    struct Turn: Sendable {
        /// What follows it, if it wrote anything.
        var work: Work?
        /// When to look again without a wake-up.
        var wakeAt: Timestamp?
        /// Whether the stage is to end.
        var isLast = false

        static let last = Turn(isLast: true)
    }

    /// How long an acceptance that cannot be recorded is kept before it is tried again.
    private static let pauseBeforeRecordingAgain = Duration.seconds(2)

    private let submitter: Submitter
    private let metrics = EngineMetrics()
    /// Requests that are out, and answers that are not recorded.
    private(set) var inFlight: Int
    /// Answers whose meaning is not decided.
    private var unclassified: [AttemptResult] = []
    private var unrecorded: [Classified<AttemptResult>] = []
    private var probe: AttemptID?
    /// The last claim had no place left for more.
    private var mayHaveMore = false
    private var databaseErrors: DatabaseErrorReporter
    private var keeper: AnswerKeeper
    let disk = BrokenDisk()

    /// - Parameter earlier: answers of an earlier daemon that wait in the queue, and in the spool.
    init(_ submitter: Submitter, earlier: [AttemptResult]) {
        self.submitter = submitter
        inFlight = earlier.count
        databaseErrors = DatabaseErrorReporter(logger: submitter.logger)
        keeper = AnswerKeeper(
            spool: submitter.store.spool,
            spooled: earlier,
            losses: submitter.queues.losses,
            logger: submitter.logger
        )
    }

    /// Answers at hand.
    private var answers: [AttemptResult] { unrecorded.map(\.answer) + unclassified }

    /// Requests whose answers have not come.
    var missing: Int { inFlight - answers.count }

    /// Takes answers in without recording them.
    mutating func take(_ answers: [AttemptResult]) {
        unclassified += answers
    }

    /// One turn: decides what the answers mean, and records them and claims chunks in one transaction.
    ///
    /// - Throws: `StoreError` when the database cannot be relied on any more; every other error is met by trying again.
    mutating func turn(_ batch: StageQueue<AttemptResult>.Batch, at now: Timestamp) async throws -> Turn {
        take(batch.elements)
        if batch.isStopping, inFlight == 0 { return .last }
        do {
            try disk.requireWhole()
            unrecorded += try await submitter.gate.take(unclassified, isProbe: { $0.claim.attempt == probe }, at: now)
            unclassified = []
            return try await write(isStopping: batch.isStopping, at: now)
        } catch let error as StoreError {
            throw error
        } catch {
            return await failed(error, at: now)
        }
    }

    private mutating func write(isStopping: Bool, at now: Timestamp) async throws -> Turn {
        let (store, gate, queues) = (submitter.store, submitter.gate, submitter.queues)
        let isClaiming = !isStopping && store.isSoleOwner
        let free = isClaiming ? submitter.configuration.maxInFlight - inFlight + unrecorded.count : 0
        let due = free > 0 ? (mayHaveMore ? now : try await store.nextSubmission(at: now)) : nil
        let wanted = due.map { $0 <= now } ?? false ? free : 0
        let admission = gate.admit(wanted, for: .submission, at: now)
        let batch = try await record(admission, nextDue: due, at: now)
        mayHaveMore = admission.places > 0 && batch.claims.count == admission.places
        if admission.isProbe { probe = batch.claims.first?.attempt }
        let recorded = zip(unrecorded, batch.decisions).map { (answer: $0.answer, outcome: $1) }
        // An acceptance is never dropped: what cannot be recorded now is tried again.
        let kept =
            zip(unrecorded, batch.decisions).filter { $0.answer.isAccepted && $1.isImpossible }.map(\.0)
            + unrecorded.dropFirst(batch.decisions.count)
        await keeper.keep(kept.map(\.answer))
        if kept.isEmpty, keeper.keepsAny {
            // What throws leaves the answers where they are: they may not be on the disk.
            try await store.makeDurable(batch)
            await keeper.recorded()
        }
        inFlight += batch.claims.count - unrecorded.count + kept.count
        metrics.planned(batch.claims.count(where: \.isNew))
        if unrecorded.contains(where: \.answer.isAccepted) { queues.changed(.acceptances) }
        if unrecorded.contains(where: { !$0.answer.isAccepted }) { queues.changed(.failures) }
        unrecorded = kept
        databaseErrors.passed()
        var turn = Turn()
        if !(recorded.isEmpty && batch.claims.isEmpty) { turn.work = Work(batch: batch, recorded: recorded) }
        turn.isLast = isStopping && inFlight == kept.count
        let held = admission.places < wanted ? gate.nextLook(at: now) : nil
        // An answer can make more due at once: the halves of a split chunk, what waited for the first acceptance.
        let more = recorded.count > kept.count && batch.claims.count < free ? now : nil
        let again = kept.isEmpty ? nil : now + Self.pauseBeforeRecordingAgain
        turn.wakeAt = [batch.nextDue.flatMap { $0 > now ? $0 : nil }, held, more, again].compactMap(\.self).min()
        return turn
    }

    /// One transaction, or none where there is nothing to record and nothing to claim.
    private func record(
        _ admission: RequestGate.Admission,
        nextDue: Timestamp?,
        at now: Timestamp
    ) async throws -> SubmissionBatch {
        var claimed = 0
        let gate = submitter.gate
        defer { gate.started(claimed, of: admission, by: .submission, at: now) }
        if unrecorded.isEmpty, admission.places == 0 {
            return SubmissionBatch(decisions: [], claims: [], nextDue: nextDue)
        }
        let configuration = submitter.configuration
        let batch = try await submitter.store.submissionBatch(
            answers: unrecorded,
            isCharged: !gate.isEndpointFailing,
            places: admission.places,
            isProbe: admission.isProbe,
            chunkSize: configuration.chunkSize,
            rules: configuration.rules,
            at: now,
            generator: SystemRandomNumberGenerator()
        )
        claimed = batch.claims.count
        return batch
    }

    /// Keeps the answers.
    ///
    /// Nothing is lost: the claims of a transaction that was aborted never existed.
    private mutating func failed(_ error: any Error, at now: Timestamp) async -> Turn {
        await keeper.keep(answers)
        mayHaveMore = false
        let wakeAt = now + databaseErrors.failed(error)
        guard Task.isCancelled else { return Turn(wakeAt: wakeAt) }
        // The grace is over: this was the last time for those that have come.
        guard missing == 0 else { return Turn() }
        await keeper.giveUp(answers)
        return .last
    }

    /// Leaves to the next daemon what the database has not taken, and what it may not have on the disk.
    mutating func giveUp() async {
        await keeper.giveUp(answers + disk.unsynced + submitter.queues.submitter.waiting)
    }
}

extension RecordOutcome {
    fileprivate var isImpossible: Bool {
        if case .impossible = self { true } else { false }
    }
}
