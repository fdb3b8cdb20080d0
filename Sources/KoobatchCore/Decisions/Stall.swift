/// What is known of the daemon's progress at one moment; durations are of a clock that is never set.
public struct ProgressReport: Hashable, Sendable {
    /// What a stage does.
    public enum Phase: Hashable, Sendable {
        /// Its loop goes through a turn.
        case working
        /// It waits to be woken, for at most the time given where it is.
        case waiting(atMost: Duration?)
        /// It has come to its end.
        case ended
    }

    /// How far a stage has come.
    public struct Stage: Hashable, Sendable {
        /// Its name, for messages.
        public let name: String
        /// What it does.
        public let phase: Phase
        /// For how long it has been doing that.
        public let elapsed: Duration
        /// For how long work of this stage has been due, if there is any.
        public let workDueFor: Duration?

        /// Creates a report of a stage.
        public init(name: String, phase: Phase, elapsed: Duration, workDueFor: Duration? = nil) {
            self.name = name
            self.phase = phase
            self.elapsed = elapsed
            self.workDueFor = workDueFor
        }
    }

    /// Every stage.
    public let stages: [Stage]
    /// For how long the call of the database that is being executed has taken, if there is one.
    public let databaseCall: Duration?
    /// How long ago the database was last found locked by another process, if ever.
    public let databaseLocked: Duration?

    /// Creates a report.
    public init(stages: [Stage], databaseCall: Duration?, databaseLocked: Duration?) {
        self.stages = stages
        self.databaseCall = databaseCall
        self.databaseLocked = databaseLocked
    }
}

/// Why the daemon does not move and will not by itself: what a restart is for.
///
/// Not among the reasons: a database that another process keeps locked, an API that fails or refuses, no work.
public enum Stall: Hashable, Sendable {
    /// A call of the database does not return.
    case databaseCall(Duration)
    /// A turn of a stage does not end.
    case turn(stage: String, Duration)
    /// A stage sleeps beyond the time at which it wanted to be woken.
    case overslept(stage: String, Duration)
    /// Work of a stage is due, and nothing wakes it.
    case notWoken(stage: String, Duration)

    /// Looks for a stall.
    ///
    /// - Parameters:
    ///   - report: what is known.
    ///   - limit: how long a turn, a call or the delay of a wake-up may take. Longer than the database waits for a lock.
    /// - Returns: the stall to name, the one closest to the cause first; `nil` if there is none.
    public static func find(in report: ProgressReport, limit: Duration) -> Stall? {
        if let call = report.databaseCall, call > limit { return .databaseCall(call) }
        // Every call of every stage may wait for the lock in turn.
        let isLocked = report.databaseLocked.map { $0 <= limit } ?? false
        for stage in report.stages {
            switch stage.phase {
            case .working where stage.elapsed > limit && !isLocked:
                return .turn(stage: stage.name, stage.elapsed)
            case .waiting(let most?) where stage.elapsed > most + limit:
                return .overslept(stage: stage.name, stage.elapsed - most)
            case .waiting(nil) where min(stage.elapsed, stage.workDueFor ?? .zero) > limit:
                return .notWoken(stage: stage.name, min(stage.elapsed, stage.workDueFor ?? .zero))
            default:
                continue
            }
        }
        return nil
    }
}

extension Stall: CustomStringConvertible {
    /// What stands still and for how long, for the log.
    public var description: String {
        switch self {
        case .databaseCall(let time): "a call of the database has not returned for \(time.components.seconds) seconds"
        case .turn(let stage, let time): "a turn of the \(stage) has not ended for \(time.components.seconds) seconds"
        case .overslept(let stage, let time): "the \(stage) sleeps \(time.components.seconds) seconds beyond its time"
        case .notWoken(let stage, let time):
            "work of the \(stage) has been due for \(time.components.seconds) seconds and nothing wakes it"
        }
    }
}
