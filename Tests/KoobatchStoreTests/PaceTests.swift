import TestSupport
import Testing

/// `job_status.eta`: from the speed of late, which pauses and new runs do not falsify.
@Suite("Pace", .database)
struct PaceTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    /// Seconds from now to the eta of job 2 of `Stages`, of whose 12 instances 6 have an end; NULL is empty.
    private func secondsLeft(after statements: String) throws -> String {
        try shell.rows(
            """
            \(Stages.statements)
            \(statements);
            SELECT round((julianday(eta) - julianday('now')) * 86400, 0) FROM job_status WHERE id = 2;
            """
        ).last?.first ?? ""
    }

    private static func ago(_ seconds: Int) -> String {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-\(seconds) seconds')"
    }

    @Test(
        "is what the results of the last minutes make it",
        arguments: [
            // Six instances in 60 seconds, six are left.
            ("UPDATE job_pace SET since_at = \(ago(60))", "60.0"),
            // Two of them in 60 seconds.
            ("UPDATE job_pace SET since_at = \(ago(60)), since_done = 4", "180.0"),
            // None since.
            ("UPDATE job_pace SET since_at = \(ago(60)), since_done = 6", ""),
            // What is finished, paused or resumed a moment ago has no speed.
            ("UPDATE job_pace SET since_at = \(ago(60)); UPDATE command_jobs SET state = 'paused' WHERE id = 2", ""),
            (
                """
                UPDATE job_pace SET since_at = \(ago(60)); UPDATE command_jobs SET state = 'paused' WHERE id = 2;
                UPDATE command_jobs SET state = 'running' WHERE id = 2
                """, ""
            ),
            // A held chunk that is released takes its instances out of what was done: four in 60 seconds, eight are left.
            (
                "UPDATE job_pace SET since_at = \(ago(60)), since_done = 2; UPDATE chunks SET state = 'pending' WHERE id = 4",
                "120.0"
            ),
        ]
    )
    func eta(_ statements: String, _ seconds: String) throws {
        #expect(try secondsLeft(after: statements) == seconds)
    }

    @Test("forgets what is older than two minutes")
    func rotation() throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            UPDATE job_pace SET since_at = \(Self.ago(500)), mark_at = \(Self.ago(61)), mark_done = 5;
            \(Stages.finish(3))
            SELECT round((julianday('now') - julianday(since_at)) * 86400, 0), since_done,
                   round((julianday('now') - julianday(mark_at)) * 86400, 0), mark_done
              FROM job_pace;
            """
        )
        #expect(rows.last == ["61.0", "5", "0.0", "8"])
    }

    @Test("is kept for running jobs only")
    func runningOnly() throws {
        let rows = try shell.rows("\(Stages.statements) SELECT command_job_id FROM job_pace;")
        #expect(rows == [["2"]])
    }
}
