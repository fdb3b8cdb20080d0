import GRDB
import KoobatchCore
import KoobatchStore
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
            ("UPDATE job_progress SET revision = revision + 1, since_at = \(ago(60))", "60.0"),
            // Two of them in 60 seconds.
            ("UPDATE job_progress SET revision = revision + 1, since_at = \(ago(60)), since_done = 4", "180.0"),
            // None since.
            ("UPDATE job_progress SET revision = revision + 1, since_at = \(ago(60)), since_done = 6", ""),
            // What is finished, paused or resumed a moment ago has no speed.
            (
                "UPDATE job_progress SET revision = revision + 1, since_at = \(ago(60)); UPDATE command_jobs SET state = 'paused' WHERE id = 2",
                ""
            ),
            (
                """
                UPDATE job_progress SET revision = revision + 1, since_at = \(ago(60)); UPDATE command_jobs SET state = 'paused' WHERE id = 2;
                UPDATE command_jobs SET state = 'running' WHERE id = 2
                """, ""
            ),
            // A held chunk that is released takes its instances out of what was done: four in 60 seconds, eight are left.
            (
                "UPDATE job_progress SET revision = revision + 1, since_at = \(ago(60)), since_done = 2; UPDATE chunks SET state = 'pending' WHERE id = 4",
                "120.0"
            ),
        ]
    )
    func eta(_ statements: String, _ seconds: String) throws {
        #expect(try secondsLeft(after: statements) == seconds)
    }

    @Test("forgets what is older than two minutes")
    func rotation() async throws {
        let database = try TestDatabase.current()
        let user = try database.observer()
        var driver = try StoreDriver(database)
        let schedule = try #require(driver.rules.polling)
        _ = try await user.insertJob(["a", "b", "c", "d"])
        try await driver.submitAll()
        var marks: [[String?]] = []
        for (seconds, name) in [(1, "a"), (61.5, "b"), (123, "c")] {
            driver.now = .start + .seconds(seconds)
            let due = try #require(try await driver.store.duePolls(at: driver.now, places: 1, busy: []).due.first)
            let report = try await driver.report(due, user) { $0.hasSuffix("-\(name)") ? true : nil }
            _ = try await driver.store.record([report], schedule: schedule, at: driver.now)
            marks += try await user.rows("SELECT since_at, since_done, mark_at, mark_done FROM job_progress")
        }
        let (start, second) = ("\(Timestamp.start)", "\(Timestamp.start + .seconds(61.5))")
        #expect(
            marks == [
                [start, "0", start, "0"],
                [start, "0", second, "2"],
                [second, "2", "\(Timestamp.start + .seconds(123))", "3"],
            ]
        )
    }

    @Test("is kept for running jobs only")
    func runningOnly() throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            SELECT command_job_id FROM job_progress WHERE since_at IS NOT NULL AND job_state = 'running';
            SELECT id FROM job_status WHERE eta IS NOT NULL;
            """
        )
        #expect(rows == [["2"], ["2"]])
    }
}
