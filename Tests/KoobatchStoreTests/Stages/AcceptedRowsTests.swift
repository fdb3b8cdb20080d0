import Foundation
import KoobatchCore
import TestSupport
import Testing

/// Rows of users that the schema accepts, and what becomes of them.
@Suite("Accepted rows", .database)
struct AcceptedRowsTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    /// An expression that a user writes, and the text that it is stored as; `nil`: within the hour around now.
    struct Time: Sendable, CustomTestStringConvertible {
        let expression: String
        let stored: String?

        var testDescription: String { expression }

        init(_ expression: String, _ stored: String? = nil) {
            self.expression = expression
            self.stored = stored
        }
    }

    static let times = [
        Time("'now'"),
        Time("datetime('now')"),
        Time("strftime('%s', 'now')"),
        Time("CAST(strftime('%s', 'now') AS INTEGER)"),
        Time("julianday('now')"),
        Time("datetime('now', '+30 minutes')"),
        Time("'2031-12-01'", "2031-12-01T00:00:00.000Z"),
        Time("'2031-12-01 08:30'", "2031-12-01T08:30:00.000Z"),
        Time("'2031-12-01T10:00+02:00'", "2031-12-01T08:00:00.000Z"),
        Time("'2031-12-01T10:00:00.25Z'", "2031-12-01T10:00:00.250Z"),
        Time("'2031-12-01 10:00:00.123456'", "2031-12-01T10:00:00.123Z"),
        Time("1953792000", "2031-11-30T08:00:00.000Z"),
        Time("1953792000.5", "2031-11-30T08:00:00.500Z"),
        Time("2463201.5", "2031-12-01T00:00:00.000Z"),
        Time("'2031-02-30'", "2031-03-02T00:00:00.000Z"),
        Time("'2031-12-31T24:00'", "2032-01-01T00:00:00.000Z"),
        Time("'9999-12-31'", "9999-12-31T00:00:00.000Z"),
    ]

    @Test("store times in the one form that compares as text and that the daemon reads", arguments: Self.times)
    func normalisedTimes(_ time: Time) throws {
        let rows = try shell.rows(
            """
            INSERT INTO command_jobs (command, instance_ids, run_at) VALUES ('id', '["a"]', \(time.expression));
            INSERT INTO command_jobs (command, instance_ids, run_at, expires_at)
            VALUES ('id', '["a"]', '2001-01-01', \(time.expression));
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]');
            UPDATE command_jobs SET run_at = \(time.expression) WHERE id = 3;
            INSERT INTO command_jobs (command, instance_ids, run_at) VALUES ('id', '["a"]', '2001-01-01');
            UPDATE command_jobs SET expires_at = \(time.expression) WHERE id = 4;
            SELECT j.run_at, p.run_at, abs(julianday(j.run_at) - julianday('now')) * 24
              FROM command_jobs AS j JOIN job_progress AS p ON p.command_job_id = j.id
             WHERE j.id IN (1, 3);
            SELECT j.expires_at, p.expires_at, abs(julianday(j.expires_at) - julianday('now')) * 24
              FROM command_jobs AS j JOIN job_progress AS p ON p.command_job_id = j.id
             WHERE j.id IN (2, 4);
            """
        )
        try #require(rows.count == 4)
        for row in rows {
            #expect(row[0] == row[1])
            #expect(Timestamp(row[0]).map(String.init) == row[0])
            if let stored = time.stored {
                #expect(row[0] == stored)
            } else {
                #expect(try #require(Double(row[2])) < 1)
            }
        }
    }

    @Test("have the documented defaults")
    func defaults() throws {
        let row = try shell.rows(
            """
            INSERT INTO command_jobs (command, instance_ids) VALUES ('ls -l /system', '["a44uhlf7","efjy72gs"]');
            SELECT id, priority, max_attempts, on_unknown, state, coalesce(label, unique_key, expires_at,
                   max_concurrency, max_errors, canary, result_timeout, started_at, finished_at, 'none'),
                   abs(julianday(run_at) - julianday('now')) < 0.001, run_at = created_at
              FROM command_jobs;
            """
        ).first
        #expect(row == ["1", "0", "8", "retry", "queued", "none", "1", "1"])
    }

    @Test(
        "keep max_errors as it was written",
        arguments: [("5", "5"), ("'5'", "5"), ("'2%'", "2%"), ("0", "0"), ("'0%'", "0%"), ("'100%'", "100%")]
    )
    func maxErrors(_ written: String, _ stored: String) throws {
        try shell.rows(
            "INSERT INTO command_jobs (command, instance_ids, max_errors) VALUES ('id', '[\"a\"]', \(written));"
        )
        #expect(try shell.value("SELECT max_errors FROM command_jobs") == stored)
    }

    @Test("tell their id through RETURNING and last_insert_rowid()")
    func ids() throws {
        let rows = try shell.rows(
            """
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]') RETURNING id;
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]'), ('id', '["b","c"]') RETURNING id;
            SELECT last_insert_rowid();
            SELECT id, total FROM job_status ORDER BY id;
            """
        )
        #expect(rows == [["1"], ["2"], ["3"], ["3"], ["1", "1"], ["2", "1"], ["3", "2"]])
    }

    @Test("may bring a free id of their own, and are never given an id twice")
    func ownID() throws {
        let rows = try shell.rows(
            """
            INSERT INTO command_jobs (id, command, instance_ids) VALUES (70, 'id', '["a"]');
            UPDATE command_jobs SET state = 'cancelled' WHERE id = 70;
            DELETE FROM command_jobs WHERE id = 70;
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]') RETURNING id;
            """
        )
        #expect(rows == [["71"]])
    }

    @Test("go with the rollback of the user's transaction")
    func rollback() throws {
        let before = try shell.dump()
        try shell.rows(
            """
            BEGIN;
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]');
            ROLLBACK;
            """
        )
        #expect(try shell.dump() == before)
    }

    @Test("appear together with the commit of the user's transaction")
    func commit() throws {
        try shell.rows(
            """
            BEGIN;
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]');
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["b"]');
            UPDATE command_jobs SET priority = 3 WHERE id = 2;
            COMMIT;
            """
        )
        #expect(try shell.rows("SELECT command_job_id, priority FROM job_progress") == [["1", "0"], ["2", "3"]])
    }

    /// Lists as they are written, and their instances.
    static let instances: [(String, [String])] = [
        (#"["a44uhlf7","efjy72gs"]"#, ["a44uhlf7", "efjy72gs"]),
        (#" [ "a" , "b" ] "#, ["a", "b"]),
        ("[\n  \"a\",\r\n\t\"b\"\n]\n", ["a", "b"]),
        ("[\"\(String(repeating: "x", count: 32))\"]", [String(repeating: "x", count: 32)]),
        (
            #"["it's","[1]","{}","a,b","a:b","]","[","~!#$%&()*+-./"]"#,
            ["it's", "[1]", "{}", "a,b", "a:b", "]", "[", "~!#$%&()*+-./"]
        ),
        (#"["\u0041","a\/b","\u007e"]"#, ["A", "a/b", "~"]),
        (#"["A","a","B"]"#, ["A", "a", "B"]),
        (
            "[\"\((33...126).filter { $0 != 34 && $0 != 92 }.map { String(UnicodeScalar($0)) }.joined(separator: "\",\""))\"]",
            (33...126).filter { $0 != 34 && $0 != 92 }.map { String(UnicodeScalar($0)) }
        ),
    ]

    @Test("show every instance id as it was given, in order", arguments: Self.instances)
    func instanceIDs(_ list: String, _ instances: [String]) throws {
        try shell.rows(
            "INSERT INTO command_jobs (command, instance_ids) "
                + "VALUES ('id', '\(list.replacing("'", with: "''"))');"
        )
        let rows = try shell.rows("SELECT instance_id, state, chunk_id FROM instance_status WHERE command_job_id = 1")
        #expect(rows == instances.map { [$0, "pending", ""] })
    }

    @Test("of a million instances are accepted, and job_status answers about them")
    func million() throws {
        let rows = try shell.rows(
            """
            \(Stages.insert(instances: 1_000_000))
            SELECT total, pending, percent_done FROM job_status WHERE id = 1;
            """
        )
        #expect(rows == [["1000000", "1000000", "0.0"]])
    }

    @Test("are accepted from a shell with foreign keys and recursive triggers on as well")
    func otherPragmas() throws {
        let rows = try shell.rows(
            """
            PRAGMA foreign_keys = ON;
            PRAGMA recursive_triggers = ON;
            \(Stages.statements)
            UPDATE command_jobs SET state = 'cancelled' WHERE id = 5;
            DELETE FROM command_jobs WHERE id IN (3, 4, 5, 6);
            SELECT count(*) FROM command_jobs;
            PRAGMA foreign_key_check;
            """
        )
        #expect(rows == [["2"]])
    }
}
