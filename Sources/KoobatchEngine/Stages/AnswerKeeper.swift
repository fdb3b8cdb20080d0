import KoobatchCore
import KoobatchStore
import Logging
import Synchronization

/// Keeps the answers that the database does not take: in the spool beside it, and at the end in the log.
///
/// Without it a killed daemon would lose them with its memory.
struct AnswerKeeper {
    /// Answers that neither the database nor the spool has taken; the log is what remains.
    struct Unsaved: Error, CustomStringConvertible {
        let count: Int
        let path: String
        let reason: String

        var description: String {
            """
            \(count) answers could be written neither to the database nor to \(path) (\(reason)); each is in the log with \
            \(LogKeys.taskID) and \(LogKeys.jobIDs)
            """
        }
    }

    /// What is lost to the database at the end: for the exit status.
    ///
    /// Not thrown: the error of a service does not outlast the cancellation of its group.
    final class Losses: Sendable {
        private let first = Mutex<Unsaved?>(nil)

        func note(_ unsaved: Unsaved) {
            first.withLock { $0 = $0 ?? unsaved }
        }

        func require() throws {
            if let unsaved = first.withLock({ $0 }) { throw unsaved }
        }
    }

    private let spool: AnswerSpool
    private let losses: Losses
    private let logger: Logger
    private var spooled: Set<AttemptID>
    private var logged: Set<AttemptID> = []
    private var failure: String?

    /// - Parameter spooled: answers that the spool has already.
    init(spool: AnswerSpool, spooled: [AttemptResult], losses: Losses, logger: Logger) {
        self.spool = spool
        self.losses = losses
        self.logger = logger
        self.spooled = Set(spooled.map(\.claim.attempt))
    }

    /// Spools answers, each of them once; where that fails, each acceptance is logged once.
    mutating func keep(_ answers: [AttemptResult]) async {
        let new = answers.filter { !spooled.contains($0.claim.attempt) }
        if new.isEmpty { return }
        do {
            try await spool.append(new)
            spooled.formUnion(new.map(\.claim.attempt))
            failure = nil
            logger.warning(
                "Answers are kept in a file beside the database until it takes them",
                metadata: [LogKeys.answers: "\(new.count)", LogKeys.spool: "\(spool.path)"]
            )
        } catch {
            failure = "\(error)"
            for answer in new where answer.isAccepted { log(answer) }
        }
    }

    /// Removes the spool: the database has everything.
    mutating func recorded() async {
        logged = []
        if spooled.isEmpty { return }
        do {
            try await spool.remove()
            spooled = []
        } catch {
            // What is left behind is recorded already, and harmless.
            logger.warning("The file of kept answers stays", metadata: [LogKeys.message: "\(error)"])
            spooled = []
        }
    }

    /// Whether there are answers that the database has not taken yet.
    var keepsAny: Bool { !(spooled.isEmpty && logged.isEmpty) }

    /// Leaves answers to the next daemon: logs every acceptance, each of them once, and notes those that are lost to it.
    mutating func giveUp(_ answers: [AttemptResult]) async {
        await keep(answers)
        let accepted = answers.filter(\.isAccepted)
        for answer in accepted { log(answer) }
        let unsaved = accepted.count { !spooled.contains($0.claim.attempt) }
        if unsaved > 0 { losses.note(Unsaved(count: unsaved, path: spool.path, reason: failure ?? "")) }
    }

    private mutating func log(_ answer: AttemptResult) {
        guard logged.insert(answer.claim.attempt).inserted else { return }
        var metadata = answer.metadata(withJobIDs: true)
        if spooled.contains(answer.claim.attempt) {
            metadata[LogKeys.spool] = "\(spool.path)"
            logger.error("An acceptance is not in the database; the next start takes it in", metadata: metadata)
        } else {
            metadata[LogKeys.message] = "\(failure ?? "")"
            logger.error("An acceptance is neither in the database nor in a file beside it", metadata: metadata)
        }
    }
}

extension Engine {
    /// Says what became of the answers that an earlier daemon could not store.
    func log(_ intake: SpoolIntake) {
        for answer in intake.recorded {
            logger.notice("An answer of an earlier daemon is recorded", metadata: answer.metadata(withJobIDs: false))
        }
        for answer in intake.kept {
            var metadata = answer.metadata(withJobIDs: true)
            metadata[LogKeys.spool] = "\(store.spool.path)"
            logger.error(
                "An answer of an earlier daemon cannot be recorded: rows or rules were changed by hand; it is tried again",
                metadata: metadata
            )
        }
        for rejected in intake.rejected {
            logger.error(
                "An answer of an earlier daemon cannot be taken in; its line is kept for the operator",
                metadata: [
                    LogKeys.reason: "\(rejected.reason)",
                    LogKeys.spoolLine: "\(rejected.line.prefix(4_000))",
                    LogKeys.spool: "\(store.spool.rejectedPath)",
                ]
            )
        }
    }
}
