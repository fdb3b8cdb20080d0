import KoobatchCore
import TestSupport
import Testing

/// The schema enforces the transitions that the states of Core name, pair by pair, for every writer.
@Suite("State transitions", .database)
struct StateTransitionsTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    struct Pair<S: LifecycleState>: Sendable, CustomTestStringConvertible {
        let from: S
        let to: S

        var testDescription: String { "\(from.rawValue) to \(to.rawValue)" }

        static var all: [Pair] {
            S.allCases.flatMap { from in S.allCases.map { Pair(from: from, to: $0) } }
        }
    }

    /// Whether the schema accepts a statement; what refuses it must speak of the state.
    private func accepts(_ update: String, after fixture: String) throws -> Bool {
        try shell.rows(fixture)
        let outcome = try shell.outcome(of: update)
        #expect(outcome.status == 0 || outcome.errors.contains("state: "), "\(outcome.errors)")
        return outcome.status == 0
    }

    // MARK: Command jobs

    @Test("of a command job are those of CommandJobState", arguments: Pair<CommandJobState>.all)
    func commandJob(_ pair: Pair<CommandJobState>) throws {
        let accepted = try accepts(
            "UPDATE command_jobs SET state = '\(pair.to.rawValue)' WHERE id = 1;",
            after: Self.fixture(pair)
        )
        #expect(accepted == (pair.from.successors.contains(pair.to) || pair.from == pair.to))
        let expected = accepted ? pair.to : pair.from
        #expect(try shell.value("SELECT state FROM command_jobs WHERE id = 1") == expected.rawValue)
        #expect(try shell.value("SELECT job_state FROM job_progress WHERE command_job_id = 1") == expected.rawValue)
    }

    /// A job in one state that meets what the other asks for beyond the transition itself.
    private static func fixture(_ pair: Pair<CommandJobState>) -> String {
        let isOver = pair.to == .expired || pair.from == .expired
        let insert = """
            INSERT INTO command_jobs (command, instance_ids, run_at, expires_at)
            VALUES ('id', '["a","b"]', '2019-01-01', \(isOver ? "'2020-01-01'" : "NULL"));

            """
        let first = Stages.plan(job: 1, chunks: ["a"], ["b"])
        let halfDone = insert + first + Stages.claim(1) + Stages.accept(1) + Stages.finish(1)
        switch pair.from {
        case .queued:
            return insert
        case .running, .paused:
            let pause = pair.from == .paused ? "UPDATE command_jobs SET state = 'paused' WHERE id = 1;" : ""
            // The trigger that makes this very change by itself is taken out, so that it can be seen as an UPDATE.
            let open = "DROP TRIGGER job_progress_decide;"
            return switch pair.to {
            case .succeeded: open + halfDone + Stages.claim(2) + Stages.accept(2) + Stages.finish(2) + pause
            case .partial: open + halfDone + Stages.claim(2) + Stages.fail(2) + pause
            case .failed: open + insert + first + [1, 2].map { Stages.claim($0) + Stages.fail($0) }.joined() + pause
            case .submitted: open + insert + first + [1, 2].map(Self.unpolled).joined() + pause
            default: insert + first + pause
            }
        case .succeeded:
            return halfDone + Stages.claim(2) + Stages.accept(2) + Stages.finish(2)
        case .partial:
            return halfDone + Stages.claim(2) + Stages.fail(2) + late(pair.to)
        case .failed:
            return insert + first + [1, 2].map { Stages.claim($0) + Stages.fail($0) }.joined() + late(pair.to)
        case .cancelled:
            return insert + "UPDATE command_jobs SET state = 'cancelled' WHERE id = 1;"
        case .expired:
            let forgiven = pair.to == .queued ? "UPDATE command_jobs SET expires_at = NULL WHERE id = 1;" : ""
            return insert + "UPDATE command_jobs SET state = 'expired' WHERE id = 1;" + forgiven
        case .submitted:
            return insert + first + Stages.claim(1) + Stages.fail(1) + Self.unpolled(2)
        }
    }

    /// Results that came after the end; the trigger that changes the end by itself is taken out.
    private static func late(_ end: CommandJobState) -> String {
        let succeeded = end == .succeeded ? 2 : end == .partial ? 1 : 0
        guard succeeded > 0 else { return "" }
        return """
            DROP TRIGGER job_progress_decide;
            UPDATE job_progress SET succeeded = \(succeeded), failed = 2 - \(succeeded), revision = revision + 1;
            """
    }

    private static func unpolled(_ chunk: Int) -> String {
        Stages.claim(chunk) + Stages.accept(chunk) + Stages.unpolled(chunk)
    }

    // MARK: Chunks

    /// What a user may do to a chunk; `cancelled` comes with the job.
    private static func mayWrite(_ pair: Pair<ChunkState>) -> Bool {
        pair.from == pair.to || (pair.from == .unknown && [.pending, .failed].contains(pair.to))
    }

    @Test("of a chunk that a user may write are two of a held one", arguments: Pair<ChunkState>.all)
    func chunk(_ pair: Pair<ChunkState>) throws {
        let accepted = try accepts(
            "UPDATE chunks SET state = '\(pair.to.rawValue)' WHERE id = 1;",
            after: Self.fixture(of: pair.from)
        )
        #expect(accepted == Self.mayWrite(pair))
        #expect(!accepted || pair.from == pair.to || pair.from.successors.contains(pair.to))
        let expected = accepted ? pair.to : pair.from
        #expect(try shell.value("SELECT state FROM chunks WHERE id = 1") == expected.rawValue)
    }

    @Test("of pending and held chunks follow a job that is stopped", arguments: ["cancelled", "expired"])
    func stopped(_ end: String) throws {
        try shell.rows(
            """
            \(Stages.statements)
            UPDATE command_jobs SET run_at = '2019-01-01', expires_at = '2020-01-01' WHERE id = 2;
            UPDATE command_jobs SET state = '\(end)' WHERE id = 2;
            """
        )
        let chunks = try shell.rows("SELECT state, cancelled, unknown, blocked FROM chunks WHERE command_job_id = 2;")
        #expect(
            chunks.map { $0.joined(separator: " ") } == [
                "cancelled 2 0 0", "submitting 0 0 0", "submitted 0 0 0", "failed 0 2 0", "finished 0 0 0",
                "failed 0 0 0",
            ]
        )
    }

    /// A job with a chunk in the state and another, pending, that keeps it running.
    private static func fixture(of state: ChunkState) -> String {
        let pending = """
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a","b","c"]');
            \(Stages.plan(job: 1, chunks: ["a", "b"], ["c"]))
            """
        return switch state {
        case .pending: pending
        case .submitting: pending + Stages.claim(1)
        case .submitted: pending + Stages.claim(1) + Stages.accept(1)
        case .finished: pending + Stages.claim(1) + Stages.accept(1) + Stages.finish(1)
        case .failed: pending + Stages.claim(1) + Stages.fail(1)
        case .unknown: pending + Stages.claim(1) + Stages.lose(1)
        case .cancelled: pending + "UPDATE command_jobs SET state = 'cancelled';"
        case .split: pending + Stages.claim(1) + Stages.split(1, job: 1, into: ["a"], ["b"])
        }
    }
}
