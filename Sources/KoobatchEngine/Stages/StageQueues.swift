public import KoobatchStore
import ServiceLifecycle

/// The queues of the stages, and the one signal by which a stage hears that there may be work.
///
/// State is in the database only. A signal that is lost costs ten seconds at most: with each heartbeat `Housekeeper` looks at
/// what is due.
public struct StageQueues: Sendable {
    /// What has changed; the table of who may have work by it is `stages`.
    enum Change: CaseIterable, Sendable {
        /// Requests were accepted: results are to be asked for.
        case acceptances
        /// Requests were not accepted, which can end a job, let go what waited for it, or leave a chunk of one that has expired.
        case failures
        /// Results came, which can end a canary, free a place under `max_concurrency` or let go what waited.
        case results
        /// Chunks were planned.
        case plans
        /// Jobs expired.
        case expiry
        /// The circuit opened or closed.
        case gate
        /// Another process has committed, the configuration is another one, the clock was set.
        case anything

        var stages: Set<Supervision.Stage> {
            switch self {
            case .acceptances: [.poller, .jobLogger]
            case .failures: [.planner, .housekeeper, .jobLogger]
            case .results: [.planner, .submitter, .jobLogger]
            case .plans: [.submitter]
            case .expiry: [.jobLogger]
            case .gate: [.submitter, .poller]
            case .anything: [.planner, .submitter, .poller, .housekeeper, .jobLogger]
            }
        }
    }

    /// Of the planner.
    public let planner: StageQueue<Never>
    /// Of the submitter: answers to what it sent.
    public let submitter: StageQueue<AttemptResult>
    /// Of the poller: answers to what it asked.
    public let poller: StageQueue<PollAnswer>
    /// Of the housekeeper.
    public let housekeeper: StageQueue<Never>
    /// Of the job completion logger.
    public let jobLogger: StageQueue<Never>
    /// Answers that nothing has taken at the end.
    let losses = AnswerKeeper.Losses()
    /// How far the stages have come.
    let supervision: Supervision

    /// Creates empty queues.
    init(_ supervision: Supervision) {
        self.supervision = supervision
        planner = StageQueue(.planner, supervision)
        submitter = StageQueue(.submitter, supervision)
        poller = StageQueue(.poller, supervision)
        housekeeper = StageQueue(.housekeeper, supervision)
        jobLogger = StageQueue(.jobLogger, supervision)
    }

    /// Tells the stages that something has changed, those that may have work by it and no others.
    func changed(_ changes: Change...) {
        wake(changes.reduce(into: []) { $0.formUnion($1.stages) })
    }

    /// Wakes stages; what has woken one that has not looked yet is one wake-up.
    func wake(_ stages: Set<Supervision.Stage>) {
        for stage in stages {
            switch stage {
            case .planner: planner.wake()
            case .submitter: submitter.wake()
            case .poller: poller.wake()
            case .housekeeper: housekeeper.wake()
            case .jobLogger: jobLogger.wake()
            case .watcher: break
            }
        }
    }
}

extension StageQueue {
    /// Runs a stage, telling it to stop on graceful shutdown and on cancellation.
    func stoppingWithTask(_ body: () async throws -> Void) async rethrows {
        defer { ended() }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await body()
            } onGracefulShutdown: {
                self.stop()
            }
        } onCancel: {
            self.stop()
        }
    }
}
