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

    struct Pair<S: State>: Sendable, CustomTestStringConvertible {
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
        let halfDone = insert + first + Stages.claim(1) + Stages.accept(1, ["a"]) + Stages.finish(1)
        switch pair.from {
        case .queued:
            return insert
        case .running, .paused:
            let pause = pair.from == .paused ? "UPDATE command_jobs SET state = 'paused' WHERE id = 1;" : ""
            // The trigger that makes this very change by itself is taken out, so that it can be seen as an UPDATE.
            let open = "DROP TRIGGER job_progress_idle;"
            return switch pair.to {
            case .succeeded: open + halfDone + Stages.claim(2) + Stages.accept(2, ["b"]) + Stages.finish(2) + pause
            case .partial: open + halfDone + Stages.claim(2) + Stages.fail(2) + pause
            case .failed: open + insert + first + [1, 2].map { Stages.claim($0) + Stages.fail($0) }.joined() + pause
            case .submitted: open + insert + first + [1, 2].map(Self.unpolled).joined() + pause
            default: insert + first + pause
            }
        case .succeeded:
            return halfDone + Stages.claim(2) + Stages.accept(2, ["b"]) + Stages.finish(2)
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
            DROP TRIGGER job_progress_late;
            DROP TRIGGER job_progress_check_counts;
            UPDATE job_progress SET succeeded = \(succeeded), failed = 2 - \(succeeded);
            """
    }

    private static func unpolled(_ chunk: Int) -> String {
        """
        \(Stages.claim(chunk))
        \(Stages.accept(chunk, [chunk == 1 ? "a" : "b"]))
        UPDATE chunks SET state = 'finished', next_poll_at = NULL WHERE id = \(chunk);
        """
    }

    // MARK: Chunks

    @Test("of a chunk are those of ChunkState", arguments: Pair<ChunkState>.all)
    func chunk(_ pair: Pair<ChunkState>) throws {
        let accepted = try accepts(
            "UPDATE chunks SET state = '\(pair.to.rawValue)'\(Self.companions(pair)) WHERE id = 1;",
            after: Self.fixture(of: pair.from) + Self.conditions(pair)
        )
        #expect(accepted == (pair.from.successors.contains(pair.to) || pair.from == pair.to))
        let expected = accepted ? pair.to : pair.from
        #expect(try shell.value("SELECT state FROM chunks WHERE id = 1") == expected.rawValue)
    }

    /// A job with a chunk in the state and another, pending, that keeps it running.
    private static func fixture(of state: ChunkState) -> String {
        let pending = """
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a","b"]');
            \(Stages.plan(job: 1, chunks: ["a"], ["b"]))
            """
        return switch state {
        case .pending: pending
        case .submitting: pending + Stages.claim(1)
        case .submitted: pending + Stages.claim(1) + Stages.accept(1, ["a"])
        case .finished: pending + Stages.claim(1) + Stages.accept(1, ["a"]) + Stages.finish(1)
        case .failed: pending + Stages.claim(1) + Stages.fail(1)
        case .unknown: pending + Stages.claim(1) + Stages.lose(1)
        case .cancelled: pending + "UPDATE command_jobs SET state = 'cancelled';"
        case .split:
            pending + Stages.claim(1) + Stages.close(1, "refused") + "UPDATE chunks SET state = 'split' WHERE id = 1;"
        }
    }

    /// What the next state asks for in other rows.
    private static func conditions(_ pair: Pair<ChunkState>) -> String {
        switch (pair.from, pair.to) {
        case (.pending, .cancelled):
            "DROP TRIGGER job_progress_check_copies; UPDATE job_progress SET job_state = 'cancelled';"
        case (.pending, .failed): "UPDATE job_progress SET trial = 'refused';"
        case (.submitting, .submitting): ""
        case (.submitting, _): Stages.close(1, "refused")
        case (_, .submitting): "INSERT INTO attempts (chunk_id, request_id, started_at) VALUES (1, 'r', 'now');"
        default: ""
        }
    }

    /// What the next state asks for in the row itself.
    private static func companions(_ pair: Pair<ChunkState>) -> String {
        switch (pair.from, pair.to) {
        case (.pending, .pending): ""
        case (.submitting, .submitted): ", task_id = 't'"
        case (.submitting, .pending): ", next_attempt_at = \(Stages.past)"
        case (.pending, .failed): ", next_attempt_at = NULL, rejected = size"
        case (.pending, _): ", next_attempt_at = NULL"
        case (.submitted, .finished): ", next_poll_at = NULL"
        default: ""
        }
    }

    // MARK: Instance jobs

    /// Instances that were not accepted have no row, so that the other states are not stored there.
    private static let storable: Set<InstanceState> = [.submitted, .succeeded, .failed, .unknown]

    @Test(
        "of an instance job are those of InstanceState",
        arguments: Pair<InstanceState>.all.filter { storable.contains($0.from) }
    )
    func instanceJob(_ pair: Pair<InstanceState>) throws {
        let isLost = pair.from == .unknown
        let ended = "finished_at = \(Stages.past)"
        let reach =
            pair.from == .submitted || isLost
            ? "" : "UPDATE instance_jobs SET state = '\(pair.from.rawValue)', \(ended);"
        let accepted = try accepts(
            "UPDATE instance_jobs SET state = '\(pair.to.rawValue)', \(ended);",
            after: """
                \(Self.fixture(of: .submitting))
                INSERT INTO instance_jobs (chunk_id, instance_id, job_id, state)
                VALUES (1, 'a', \(isLost ? "NULL, 'unknown'" : "'j', 'submitted'"));
                \(reach)
                """
        )
        let legal = pair.from.successors.intersection(Self.storable)
        #expect(accepted == (legal.contains(pair.to) || pair.from == pair.to))
        let expected = accepted ? pair.to : pair.from
        #expect(try shell.value("SELECT state FROM instance_jobs") == expected.rawValue)
    }
}
