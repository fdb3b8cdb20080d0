public import KoobatchCore
import Synchronization

/// Whether the daemon works: how far each stage's loop has come, whether heartbeats are written, whether the database answers.
///
/// The one place that the watchdog, the health check and the status line ask; it answers at once, whatever stands still.
public final class Supervision: Sendable {
    /// The loops of the engine.
    enum Stage: String, CaseIterable, Sendable {
        case planner
        case submitter
        case poller
        case housekeeper
        case jobLogger
        case watcher = "change watcher"

        /// Whether its turns move jobs.
        var movesJobs: Bool { [.planner, .submitter, .poller].contains(self) }
    }

    /// For how long the call of the database that is executed has taken, and how long ago the database was last found locked.
    typealias Pulse = @Sendable (ContinuousClock.Instant) -> (call: Duration?, locked: Duration?)

    private struct Beat {
        var phase: ProgressReport.Phase
        var since: ContinuousClock.Instant
        var dueSince: ContinuousClock.Instant?
    }

    private struct State {
        var beats: [Stage: Beat] = [:]
        var turns = 0
        var heartbeatAt: ContinuousClock.Instant
        var writeError: String?
    }

    /// How long a heartbeat, or a stage's turn, may take.
    static let patience = Duration.seconds(30)

    private let state: Mutex<State>
    private let pulse: Pulse
    private let clock: @Sendable () -> ContinuousClock.Instant

    /// Begins to watch.
    ///
    /// - Parameters:
    ///   - pulse: of the database; answers at once.
    ///   - clock: tells the time.
    init(pulse: @escaping Pulse, clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.pulse = pulse
        self.clock = clock
        state = Mutex(State(heartbeatAt: clock()))
    }
}

/// What the stages tell.
extension Supervision {
    /// Notes that a stage begins a turn, or goes on with one.
    func works(_ stage: Stage) {
        enter(.working, stage)
    }

    /// Notes that a stage waits to be woken.
    func waits(_ stage: Stage, atMost limit: Duration?) {
        enter(.waiting(atMost: limit), stage)
    }

    /// Notes that a stage has ended.
    func ended(_ stage: Stage) {
        enter(.ended, stage)
    }

    private func enter(_ phase: ProgressReport.Phase, _ stage: Stage) {
        let now = clock()
        state.withLock { state in
            if phase == .working, stage.movesJobs { state.turns += 1 }
            state.beats[stage] = Beat(phase: phase, since: now, dueSince: nil)
        }
    }

    /// Notes whether work of a stage is due; a turn of the stage makes it forgotten.
    func noteDue(_ isDue: Bool, _ stage: Stage) {
        let now = clock()
        state.withLock { state in
            guard var beat = state.beats[stage] else { return }
            beat.dueSince = isDue ? beat.dueSince ?? now : nil
            state.beats[stage] = beat
        }
    }

    /// Notes that the heartbeat is in the database.
    func wroteHeartbeat() {
        let now = clock()
        state.withLock { state in
            state.heartbeatAt = now
            state.writeError = nil
        }
    }

    /// Notes that the database did not take it.
    func couldNotWrite(_ error: any Error) {
        state.withLock { $0.writeError = "\(error)" }
    }
}

/// What others ask.
extension Supervision {
    /// A number that grows with every turn of the stages that move jobs: while it stays, nothing happens.
    public var turns: Int {
        state.withLock { $0.turns }
    }

    /// What stands still and will not move by itself, if anything does.
    ///
    /// - Parameter limit: how long a turn, a call or the delay of a wake-up may take.
    public func stall(limit: Duration) -> Stall? {
        let (now, beats) = (clock(), state.withLock { $0.beats })
        let stages = Stage.allCases.compactMap { stage in
            beats[stage].map { beat in
                ProgressReport.Stage(
                    name: stage.rawValue,
                    phase: beat.phase,
                    elapsed: now - beat.since,
                    workDueFor: beat.dueSince.map { now - $0 }
                )
            }
        }
        let (call, locked) = pulse(now)
        return Stall.find(
            in: ProgressReport(stages: stages, databaseCall: call, databaseLocked: locked),
            limit: limit
        )
    }

    /// What is wrong, a sentence each; empty when all is well.
    public var problems: [String] {
        let (error, heartbeatAt) = state.withLock { ($0.writeError, $0.heartbeatAt) }
        var problems: [String] = []
        if let error { problems.append("database writes fail: \(error)") }
        let silence = clock() - heartbeatAt
        if silence > Self.patience {
            problems.append("the last heartbeat was written \(silence.components.seconds) s ago")
        }
        if let stall = stall(limit: Self.patience) { problems.append("\(stall)") }
        return problems
    }
}
