public import KoobatchStore
import ServiceLifecycle

/// The inboxes of the stages: how a stage hears that there may be work.
///
/// State is in the database only.
public struct Inboxes: Sendable {
    /// Of the planner.
    public let planner: Inbox<Never>
    /// Of the submitter: answers to what it sent.
    public let submitter: Inbox<SubmissionAnswer>
    /// Of the poller: answers to what it asked.
    public let poller: Inbox<PollAnswer>
    /// Of the housekeeper.
    public let housekeeper: Inbox<Never>
    /// Of the announcer.
    public let announcer: Inbox<Never>
    /// Answers that nothing has taken at the end.
    let losses = AnswerKeeper.Losses()
    /// How far the stages have come.
    let progress: Progress

    /// Creates empty inboxes.
    public init() {
        progress = Progress()
        planner = Inbox(.planner, progress)
        submitter = Inbox(.submitter, progress)
        poller = Inbox(.poller, progress)
        housekeeper = Inbox(.housekeeper, progress)
        announcer = Inbox(.announcer, progress)
    }

    /// Tells every stage that something may have changed.
    public func ringAll() {
        planner.ring()
        submitter.ring()
        poller.ring()
        housekeeper.ring()
        announcer.ring()
    }
}

extension Inbox {
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
