public import KoobatchStore
import ServiceLifecycle

/// The queues of the stages: how a stage hears that there may be work.
///
/// State is in the database only.
public struct StageQueues: Sendable {
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
    let progress: Progress

    /// Creates empty queues.
    public init() {
        progress = Progress()
        planner = StageQueue(.planner, progress)
        submitter = StageQueue(.submitter, progress)
        poller = StageQueue(.poller, progress)
        housekeeper = StageQueue(.housekeeper, progress)
        jobLogger = StageQueue(.jobLogger, progress)
    }

    /// Tells every stage that something may have changed.
    public func wakeAll() {
        planner.wake()
        submitter.wake()
        poller.wake()
        housekeeper.wake()
        jobLogger.wake()
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
