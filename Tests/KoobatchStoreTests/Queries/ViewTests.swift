import KoobatchMigrations
import TestSupport
import Testing

/// What people and scripts read, in the stock shell.
@Suite("Views", .database)
struct ViewTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    @Test(
        "have the documented columns",
        arguments: [
            (
                "job_status",
                "id label command state state_reason total pending submitted succeeded failed unknown cancelled rejected "
                    + "percent_done created_at started_at finished_at eta"
            ),
            (
                "instance_status",
                "command_job_id instance_id chunk_id state task_id job_id error_code error_msg output submitted_at "
                    + "finished_at"
            ),
            ("task_map", "command_job_id chunk_id task_id instance_id job_id"),
            ("chunks", "id command_job_id state task_id attempts next_attempt_at error_code error_msg"),
            ("attempts", "id chunk_id request_id started_at finished_at outcome http_status error_code error_msg"),
            ("why", "command_job_id chunk_id blocker explanation earliest_at"),
            ("outputs", "command_job_id state error_code output instances example_instance_id"),
            (
                "daemon",
                "pid version started_at heartbeat_at in_flight requests_per_second circuit credentials last_error"
            ),
            ("error_policies", "code action note"),
            (
                "command_jobs",
                "id command instance_ids label unique_key priority run_at expires_at max_attempts on_unknown "
                    + "max_concurrency max_errors canary result_timeout state state_reason created_at started_at finished_at"
            ),
        ]
    )
    func columns(_ view: String, _ columns: String) throws {
        let actual = try shell.rows("SELECT name FROM pragma_table_info('\(view)');").compactMap(\.first)
        #expect(Set(columns.split(separator: " ").map(String.init)).subtracting(actual).isEmpty, "\(actual)")
        try shell.rows("\(Stages.statements) SELECT * FROM \(view);")
    }

    @Test("are in a database that tells what it is")
    func pragmas() throws {
        let rows = try shell.rows(
            """
            PRAGMA application_id;
            PRAGMA user_version;
            PRAGMA journal_mode;
            PRAGMA integrity_check;
            SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%';
            """
        )
        #expect(rows == [["1265594210"], ["\(Migrations.current)"], ["wal"], ["ok"], ["0"]])
    }

    @Test("list the documented error codes with their actions")
    func policies() throws {
        let rows = try shell.rows("SELECT action, group_concat(code, ' ') FROM error_policies GROUP BY action;")
        #expect(
            rows == [
                ["authenticate", "APIG.0301 APIGW.0301"],
                ["fail", "APIGW.0201 KOOPHONE.API.1323"],
                ["isolate", "KOOPHONE.API.2005 KOOPHONE.API.2006"],
                ["retry", "APIG.0308 APIGW.0308"],
                [
                    "split",
                    "KOOPHONE.API.1000 KOOPHONE.API.1001 KOOPHONE.API.1002 KOOPHONE.API.1012 KOOPHONE.API.2004",
                ],
                [
                    "stop",
                    "APIGW.0101 KOOPHONE.API.0000 KOOPHONE.API.0001 KOOPHONE.API.0002 KOOPHONE.API.0004 "
                        + "KOOPHONE.API.0005 KOOPHONE.API.1004",
                ],
                ["unknown", "KOOPHONE.API.9999"],
            ]
        )
    }

    @Test("count every instance of every stage")
    func counts() throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            SELECT id, state, total, pending, submitted, succeeded, failed, unknown, cancelled, rejected, percent_done
              FROM job_status;
            """
        )
        #expect(
            rows.map { $0.joined(separator: " ") } == [
                "1 queued 3 3 0 0 0 0 0 0 0.0",
                "2 running 12 4 2 2 2 2 0 0 50.0",
                "3 succeeded 2 0 0 2 0 0 0 0 100.0",
                "4 partial 4 0 0 2 2 0 0 0 100.0",
                "5 paused 1 1 0 0 0 0 0 0 0.0",
                "6 cancelled 2 0 0 0 0 0 2 0 100.0",
            ]
        )
    }

    @Test("show each instance in its state, with its chunk, its ids and its error")
    func instances() throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            SELECT instance_id, chunk_id, state, task_id, job_id, error_code, output
              FROM instance_status
             WHERE command_job_id = 2
             ORDER BY chunk_id, instance_id;
            """
        )
        #expect(
            rows.map { $0.joined(separator: " ") } == [
                "i0 1 pending    ", "i1 1 pending    ", "i2 2 pending    ", "i3 2 pending    ",
                "i4 3 submitted task-3 job-i4  ", "i5 3 submitted task-3 job-i5  ", "i6 4 unknown   L ",
                "i7 4 unknown   L ", "i8 5 succeeded task-5 job-i8  fine", "i9 5 succeeded task-5 job-i9  fine",
                "i10 6 failed   E ", "i11 6 failed   E ",
            ]
        )
    }

    @Test("group the results of one job, the commonest first")
    func outputs() throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            SELECT state, error_code, output, instances, example_instance_id FROM outputs WHERE command_job_id = 2;
            SELECT command_job_id, sum(instances) FROM outputs GROUP BY command_job_id;
            """
        )
        #expect(
            rows.map { $0.joined(separator: " ") } == [
                "failed E  2 i10", "succeeded  fine 2 i8", "unknown L  2 i6", "2 6", "3 2", "4 4",
            ]
        )
    }

    /// What a job waits for, after the statements.
    @Test(
        "say why a job waits",
        arguments: [
            ("run_at", "UPDATE command_jobs SET run_at = '2099-01-01' WHERE id = 2"),
            ("pause", "UPDATE command_jobs SET state = 'paused' WHERE id = 2"),
            ("daemon", "UPDATE daemon_state SET stopped_at = '2026-01-01T00:00:00.000Z'"),
            (
                "credentials",
                "UPDATE daemon_state SET credentials = 'refused', paused_until = '2099-01-01T00:00:00.000Z'"
            ),
            ("circuit", "UPDATE daemon_state SET circuit = 'open', paused_until = '2099-01-01T00:00:00.000Z'"),
            ("rate_limit", "UPDATE daemon_state SET paused_until = '2099-01-01T00:00:00.000Z'"),
            ("max_concurrency", "UPDATE command_jobs SET max_concurrency = 2 WHERE id = 2"),
            ("backoff", "UPDATE chunks SET next_attempt_at = '2099-01-01T00:00:00.000Z' WHERE id = 1"),
            ("queued", "SELECT 1 WHERE 0"),
            ("results", Stages.claim(1) + Stages.fail(1) + Stages.fail(2)),
            ("hold", Stages.claim(1) + Stages.fail(1) + Stages.fail(2) + Stages.finish(3)),
        ]
    )
    func why(_ blocker: String, _ statements: String) throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            UPDATE daemon_state SET heartbeat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now');
            \(statements);
            SELECT blocker, explanation <> '', earliest_at FROM why WHERE command_job_id = 2 AND chunk_id IS NULL;
            """
        )
        #expect(rows.map { $0[0] } == [blocker])
        #expect(rows.map { $0[1] } == ["1"])
        let timed: Set = ["run_at", "credentials", "circuit", "rate_limit", "backoff"]
        #expect(rows.map { $0[2].hasPrefix("2099-01-01T00:00:00") } == [timed.contains(blocker)])
    }

    @Test("say that a job waits for a place among the requests before it runs again")
    func whyAgain() throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            UPDATE daemon_state SET heartbeat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now');
            UPDATE command_jobs SET state = 'queued' WHERE id = 4;
            SELECT blocker FROM why WHERE command_job_id = 4;
            """
        )
        #expect(rows == [["queued"]])
    }

    @Test("say why a chunk waits, and with which request")
    func whyChunks() throws {
        let rows = try shell.rows(
            """
            \(Stages.statements)
            UPDATE chunks SET next_attempt_at = '2099-01-01T00:00:00.000Z' WHERE id = 1;
            SELECT chunk_id, blocker, request_id, earliest_at FROM why WHERE chunk_id IS NOT NULL ORDER BY chunk_id;
            """
        )
        #expect(rows == [["1", "backoff", "", "2099-01-01T00:00:00.000Z"], ["4", "hold", "r4", ""]])
    }
}
