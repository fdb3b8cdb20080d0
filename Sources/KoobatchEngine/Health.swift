import Synchronization

/// Whether the stages work: the housekeeper writes its sign of life, and every stage takes what comes for it.
public final class Health: Sendable {
    /// How long a sign of life, or a stage's next look, may take.
    static let patience = Duration.seconds(30)

    private struct State {
        var wroteAt = ContinuousClock.now
        var error: String?
    }

    private typealias Stage = (name: String, unattended: @Sendable () -> Duration)

    private let stages: [Stage]
    private let state = Mutex(State())

    /// Creates a state of health of the stages that run.
    init(_ inboxes: Inboxes, polls: Bool) {
        var stages: [Stage] = [
            ("planner", { inboxes.planner.unattended }), ("submitter", { inboxes.submitter.unattended }),
        ]
        if polls { stages.append(("poller", { inboxes.poller.unattended })) }
        self.stages = stages
    }

    /// Notes that the sign of life is in the database.
    func wrote() {
        state.withLock { $0 = State() }
    }

    /// Notes that the database did not take it.
    func failed(_ error: any Error) {
        state.withLock { $0.error = "\(error)" }
    }

    /// What is wrong, a sentence each; empty when all is well.
    public var problems: [String] {
        let state = state.withLock { $0 }
        var problems: [String] = []
        if let error = state.error { problems.append("the database does not take what is to be recorded: \(error)") }
        let silence = .now - state.wroteAt
        if silence > Self.patience {
            problems.append("the last sign of life was written \(silence.components.seconds) s ago")
        }
        for stage in stages {
            let time = stage.unattended()
            guard time > Self.patience else { continue }
            problems.append("the \(stage.name) has not looked for work for \(time.components.seconds) s")
        }
        return problems
    }
}
