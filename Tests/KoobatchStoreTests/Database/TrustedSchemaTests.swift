import TestSupport
import Testing

/// The stock shell with `PRAGMA trusted_schema = OFF`, as hardened applications and some distributions have it: functions
/// and virtual tables that are not marked innocuous cannot be used in views and triggers.
@Suite("Without trust in the schema", .database)
struct TrustedSchemaTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    private func untrusting(_ statements: String) throws -> [[String]] {
        try shell.rows("PRAGMA trusted_schema = OFF;\n\(statements)")
    }

    @Test("every view and table can be read")
    func read() throws {
        try shell.rows(Stages.statements)
        let names = try shell.rows(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%';"
        ).map { $0[0] }
        #expect(names.count > 12)
        for name in names {
            let trusting = try shell.rows("SELECT count(*) FROM (SELECT * FROM \(name));")
            #expect(try untrusting("SELECT count(*) FROM (SELECT * FROM \(name));") == trusting, "\(name)")
            #expect(try shell.outcome(of: "PRAGMA trusted_schema = OFF; SELECT * FROM \(name);").status == 0)
        }
    }

    @Test("jobs are inserted, changed and refused")
    func write() throws {
        let rows = try untrusting(
            """
            INSERT INTO command_jobs (command, instance_ids, run_at, expires_at, canary, max_errors, unique_key)
            VALUES ('ls -l /system', '["a44uhlf7","efjy72gs"]', datetime('now'), datetime('now', '+1 day'), 1, '2%', 'k');
            UPDATE command_jobs SET priority = 9, max_concurrency = 4, run_at = 'now', max_errors = 1 WHERE id = 1;
            UPDATE command_jobs SET state = 'paused' WHERE id = 1;
            UPDATE command_jobs SET state = 'running' WHERE id = 1;
            UPDATE command_jobs SET state = 'cancelled' WHERE id = 1;
            UPDATE command_jobs SET state = 'queued' WHERE id = 1;
            UPDATE error_policies SET action = 'fail' WHERE code = 'KOOPHONE.API.1000';
            SELECT state, total, pending FROM job_status;
            SELECT instance_id, state FROM instance_status;
            """
        )
        #expect(rows == [["queued", "2", "2"], ["a44uhlf7", "pending"], ["efjy72gs", "pending"]])
        let outcome = try shell.outcome(
            of: """
                PRAGMA trusted_schema = OFF;
                INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a","a"]');
                """
        )
        #expect(outcome.errors.contains("instance_ids: the instance ids must be distinct"))
    }

    @Test("held chunks are settled, and finished jobs deleted")
    func settle() throws {
        try shell.rows(Stages.statements)
        let rows = try untrusting(
            """
            UPDATE chunks SET state = 'pending' WHERE id = 4;
            UPDATE command_jobs SET state = 'queued' WHERE id = 4;
            UPDATE command_jobs SET state = 'cancelled' WHERE id IN (1, 4, 5);
            DELETE FROM command_jobs WHERE id IN (1, 3, 4, 5, 6);
            SELECT id, state, pending FROM job_status;
            SELECT count(*) FROM attempts WHERE chunk_id > 6;
            """
        )
        #expect(rows == [["2", "running", "6"], ["0"]])
    }
}
