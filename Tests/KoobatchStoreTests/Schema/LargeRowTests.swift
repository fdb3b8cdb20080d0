import TestSupport
import Testing

/// A row with a long list changes in place; without `padding` its list would be written again.
@Suite("The row of a large job", .database)
struct LargeRowTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    /// Inserts a job, and says how many pages a change of it writes to the log.
    private func pages(of statement: String, instances: Int) throws -> Int {
        let counts = try shell.rows(
            """
            \(Stages.insert(instances: instances))
            PRAGMA wal_checkpoint(TRUNCATE);
            \(statement)
            PRAGMA wal_checkpoint(PASSIVE);
            """
        )
        try #require(counts.count == 2 && counts[0] == ["0", "0", "0"], "\(counts)")
        return try #require(Int(counts[1][1]))
    }

    private static let started = "state = 'running', started_at = '2026-12-01T08:00:00.000Z'"
    private static let ended = "state = 'partial', finished_at = '2026-12-01T08:00:00.000Z'"

    @Test(
        "keeps its size when the daemon changes it",
        arguments: [
            started, ended, "state = 'succeeded'", "\(started), \(ended)", "state_reason = ''",
            // Up to 57 bytes SQLite notes a length in one byte, from 58 on in two.
            "state_reason = '\(String(repeating: "r", count: 57))'",
            "state_reason = '\(String(repeating: "r", count: 58))'",
            "state_reason = '\(String(repeating: "é", count: 29))'",
            "\(started), \(ended), state_reason = '\(String(repeating: "r", count: 170))'",
            "expires_at = '2026-12-01T08:00:00.000Z'",
        ]
    )
    func daemon(_ assignments: String) throws {
        let statement = Stages.daemon("UPDATE command_jobs SET \(assignments) WHERE id = 1;")
        // One or two of the table, and those of an index of finished_at.
        #expect(try pages(of: statement, instances: 10_000) <= 4)
    }

    @Test("keeps its size when somebody pauses or cancels it", arguments: ["paused", "cancelled"])
    func people(_ state: String) throws {
        let statement = "UPDATE command_jobs SET state = '\(state)' WHERE id = 1;"
        #expect(try pages(of: statement, instances: 10_000) <= 12)
    }

    @Test("is written anew where a reason has no room, and is whole all the same")
    func longReason() throws {
        let reason = String(repeating: "r", count: 5_000)
        let statement = Stages.daemon("UPDATE command_jobs SET state_reason = '\(reason)' WHERE id = 1;")
        #expect(try pages(of: statement, instances: 10_000) > 30)
        let row = try shell.rows(
            "SELECT length(state_reason), json_array_length(instance_ids), length(padding) FROM command_jobs;"
        )
        #expect(row == [["5000", "10000", "58"]])
        #expect(try shell.run("PRAGMA integrity_check;") == "ok")
    }

    @Test("has padding only where the list is long", arguments: [(2_000, 0), (5_000, 1)])
    func small(_ instances: Int, _ padded: Int) throws {
        _ = try pages(of: "UPDATE command_jobs SET state = 'paused';", instances: instances)
        #expect(try shell.run("SELECT count(padding) FROM command_jobs;") == "\(padded)")
    }

    @Test("does not take padding from those who insert or update")
    func computed() throws {
        for statement in [
            "INSERT INTO command_jobs (command, instance_ids, padding) VALUES ('ls', '[\"a\"]', x'00');",
            "UPDATE command_jobs SET padding = NULL;",
        ] {
            #expect(try shell.outcome(of: statement).errors.contains("generated column \"padding\""))
        }
    }
}
