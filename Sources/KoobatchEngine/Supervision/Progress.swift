import KoobatchCore
import Synchronization

/// How far each stage's loop has come, for the watchdog.
final class Progress: Sendable {
    /// The loops of the engine.
    enum Stage: String, CaseIterable, Sendable {
        case planner
        case submitter
        case poller
        case housekeeper
        case jobLogger
        case watcher = "change watcher"
    }

    private struct Beat {
        var phase: ProgressReport.Phase
        var since: ContinuousClock.Instant
        var dueSince: ContinuousClock.Instant?
    }

    private struct State {
        var beats: [Stage: Beat] = [:]
        var turns = 0
    }

    private let state = Mutex(State())

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
        let now = ContinuousClock.now
        state.withLock { state in
            if phase == .working, ![.watcher, .housekeeper, .jobLogger].contains(stage) { state.turns += 1 }
            state.beats[stage] = Beat(phase: phase, since: now, dueSince: nil)
        }
    }

    /// Notes whether work of a stage is due; a turn of the stage makes it forgotten.
    func noteDue(_ isDue: Bool, _ stage: Stage) {
        let now = ContinuousClock.now
        state.withLock { state in
            guard var beat = state.beats[stage] else { return }
            beat.dueSince = isDue ? beat.dueSince ?? now : nil
            state.beats[stage] = beat
        }
    }

    /// Turns of the stages that move jobs, so far.
    var turns: Int {
        state.withLock { $0.turns }
    }

    /// The stages that have begun.
    func stages(at now: ContinuousClock.Instant) -> [ProgressReport.Stage] {
        let beats = state.withLock { $0.beats }
        return Stage.allCases.compactMap { stage in
            beats[stage].map { beat in
                ProgressReport.Stage(
                    name: stage.rawValue,
                    phase: beat.phase,
                    elapsed: now - beat.since,
                    workDueFor: beat.dueSince.map { now - $0 }
                )
            }
        }
    }
}
