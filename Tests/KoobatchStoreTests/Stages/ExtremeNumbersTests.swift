import TestSupport
import Testing

/// Numbers that nobody means, written by hand into whatever column takes a number.
@Suite("Extreme numbers", .database)
struct ExtremeNumbersTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    private struct Column {
        let table: String
        let name: String
        let isReal: Bool
        let isKey: Bool

        /// What is far beyond anything meant: each would overflow what is computed from it.
        var values: [String] { isReal ? real : whole }
    }

    /// Every column of a number that the schema has.
    private func columns() throws -> [Column] {
        try shell.rows(
            """
            SELECT m.name, c.name, c.type, c.pk
              FROM sqlite_schema AS m
              JOIN pragma_table_info(m.name) AS c
             WHERE m.type = 'table'
               AND m.name NOT LIKE 'sqlite%'
               AND c.type IN ('INTEGER', 'REAL', 'INT', 'ANY')
             ORDER BY m.name, c.cid;
            """
        ).map { Column(table: $0[0], name: $0[1], isReal: $0[2] == "REAL", isKey: $0[3] != "0") }
    }

    static let whole = ["9223372036854775807", "-9223372036854775808", "4611686018427387904"]
    static let real = whole + ["9e999", "-9e999", "1e300", "-1e300", "-1"]

    /// Runs each change in a transaction of its own, which is rolled back, and returns those that were accepted.
    private func accepted(_ changes: [String], triggers: Bool) throws -> [String] {
        try shell.rows(
            """
            \(Stages.statements)
            INSERT INTO daemon_metrics (id, written_at, exposition) VALUES (1, \(Stages.past), '');
            """
        )
        let script = changes.indices.map { "BEGIN; \(changes[$0]) RETURNING \($0); ROLLBACK;" }
        let outcome = try shell.outcome(
            of: """
                .bail off
                .dbconfig enable_trigger \(triggers ? "on" : "off")
                \(script.joined(separator: "\n"))
                """
        )
        let numbers = Set(outcome.output.split(separator: "\n").compactMap { Int($0) })
        return numbers.sorted().map { changes[$0] }
    }

    @Test("can be detected: a change that is in order is accepted", arguments: [true, false])
    func detection(triggers: Bool) throws {
        let changes = [
            "UPDATE command_jobs SET priority = 7", "UPDATE command_jobs SET priority = 9223372036854775807",
        ]
        #expect(try accepted(changes, triggers: triggers) == [changes[0]])
    }

    @Test("are refused in every column that a user writes to")
    func updates() throws {
        let columns = try columns()
        #expect(columns.count > 40)
        let changes = columns.flatMap { column in
            // With the revision that is asked of whoever writes this table.
            let revision =
                column.table == "job_progress" && column.name != "revision" ? ", revision = revision + 1" : ""
            return column.values.map { "UPDATE \(column.table) SET \(column.name) = \($0)\(revision)" }
        }
        #expect(try accepted(changes, triggers: true).isEmpty)
    }

    @Test("are refused by the CHECKs alone in every column that is not a reference or a key of one")
    func checks() throws {
        let references = ["command_job_id", "chunk_id", "split_from"]
        let columns = try columns().filter {
            !references.contains($0.name) && !($0.isKey && $0.table != "command_jobs")
        }
        let changes = columns.flatMap { column in
            column.values.map { "UPDATE \(column.table) SET \(column.name) = \($0)" }
        }
        #expect(try accepted(changes, triggers: false).isEmpty)
    }

    @Test(
        "are refused in the rate of requests, which divides",
        arguments: ["0", "-1", "1e300", "9e999", "1e-300", "1e7", "'fast'", "9223372036854775807"]
    )
    func rate(_ value: String) throws {
        let outcome = try shell.outcome(of: "UPDATE daemon_state SET requests_per_second = \(value);")
        #expect(outcome.status != 0)
        #expect(try shell.value("SELECT requests_per_second IS NULL FROM daemon_state") == "1")
    }

    @Test("are refused in an insert of a job", arguments: whole + ["9e999", "1e300"])
    func inserts(_ value: String) throws {
        let columns = [
            "id", "priority", "max_attempts", "max_concurrency", "canary", "serialize_instances", "result_timeout",
        ]
        // SQLite itself refuses a fraction as the key of a row.
        for column in columns where column != "id" || Self.whole.contains(value) {
            let outcome = try shell.outcome(
                of: "INSERT INTO command_jobs (command, instance_ids, \(column)) VALUES ('id', '[\"a\"]', \(value));"
            )
            #expect(outcome.status != 0, "\(column)")
            #expect(outcome.errors.contains(column), "\(outcome.errors)")
        }
        #expect(try shell.value("SELECT count(*) FROM command_jobs") == "0")
    }
}
