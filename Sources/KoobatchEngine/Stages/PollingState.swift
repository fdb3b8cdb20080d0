import KoobatchCore
import KoobatchStore

/// What the poller knows between two turns: the tasks that it asks for, and the answers that the database has not taken yet.
struct PollingState {
    /// What a turn comes to.
    struct Turn: Sendable {
        /// What is to be asked for.
        var queries: [DuePoll] = []
        /// When to look again without a wake-up.
        var wakeAt: Timestamp?
        /// Whether the stage is to end.
        var isLast = false

        static let last = Turn(isLast: true)
    }

    private let poller: Poller
    /// Chunks whose results are being asked for, or have come and are not recorded.
    private(set) var busy: Set<ChunkID> = []
    /// Answers whose meaning is not decided.
    private var unclassified: [PollAnswer] = []
    private var unrecorded: [Classified<PollAnswer>] = []
    private var probe: ChunkID?
    private var databaseErrors: DatabaseErrorReporter

    init(_ poller: Poller) {
        self.poller = poller
        databaseErrors = DatabaseErrorReporter(logger: poller.logger)
    }

    /// One turn: decides what the answers mean, records them, and chooses what to ask for.
    ///
    /// - Throws: `StoreError` when the database cannot be relied on any more; every other error is met by trying again.
    mutating func turn(_ batch: StageQueue<PollAnswer>.Batch, at now: Timestamp) async throws -> Turn {
        unclassified += batch.elements
        do {
            try await record(at: now)
            if batch.isStopping, busy.isEmpty { return .last }
            let turn = try await look(isStopping: batch.isStopping, at: now)
            databaseErrors.passed()
            return turn
        } catch let error as StoreError {
            throw error
        } catch {
            let wakeAt = now + databaseErrors.failed(error)
            if batch.isStopping {
                // What they say is asked for again after the next start: no reason to stay.
                busy.subtract(unrecorded.map(\.answer.poll.chunk) + unclassified.map(\.poll.chunk))
                (unrecorded, unclassified) = ([], [])
            }
            return Turn(wakeAt: wakeAt, isLast: batch.isStopping && busy.isEmpty)
        }
    }

    private mutating func record(at now: Timestamp) async throws {
        unrecorded += try await poller.gate.take(unclassified, isProbe: { $0.poll.chunk == probe }, at: now)
        if unclassified.contains(where: { $0.poll.chunk == probe }) { probe = nil }
        unclassified = []
        if unrecorded.isEmpty { return }
        try await poller.record(unrecorded, at: now)
        busy.subtract(unrecorded.map(\.answer.poll.chunk))
        unrecorded = []
        poller.queues.changed(.results)
    }

    private mutating func look(isStopping: Bool, at now: Timestamp) async throws -> Turn {
        let gate = poller.gate
        let free = isStopping ? 0 : poller.configuration.maxInFlight - busy.count
        let (due, next) = try await poller.store.duePolls(at: now, places: free, busy: busy)
        let admission = gate.admit(due.count, for: .poll, at: now)
        gate.started(admission.places, of: admission, by: .poll, at: now)
        if admission.isProbe { probe = due.first?.chunk }
        let queries = Array(due.prefix(admission.places))
        busy.formUnion(queries.map(\.chunk))
        let held = admission.places < due.count ? gate.nextLook(at: now) : nil
        return Turn(queries: queries, wakeAt: [next, held].compactMap(\.self).min())
    }
}
