import Foundation
import GRDB
import KoobatchCore
import KoobatchMigrations
import KoobatchStore
import TestSupport
import Testing

@Suite(.database)
struct DatabaseClientTests {
    private static let command = "ls -l /system"

    private func submit(_ client: DatabaseClient, _ ids: [String], _ settings: [JobSetting] = []) throws -> CommandJobID
    {
        try client.submit(command: Self.command, instanceIDs: ids, settings: settings)
    }

    @Test func `what is no database of this koobatch is refused as the store refuses it`() throws {
        let database = try TestDatabase.current()
        let missing = database.file("none.db")
        #expect(throws: StoreError.missing(path: missing)) { try DatabaseClient(path: missing, access: .reading) }
        let foreign = database.file("foreign.db")
        try SQLiteShell(database: foreign).rows("CREATE TABLE t (x); PRAGMA user_version = 1;")
        #expect(throws: StoreError.foreign(path: foreign)) { try DatabaseClient(path: foreign, access: .writing) }
        try database.shell.rows("PRAGMA user_version = 99;")
        let newer = StoreError.newer(path: database.path, version: 99, known: Migrations.current)
        #expect(throws: newer) { try DatabaseClient(path: database.path, access: .reading) }
        try database.shell.rows("PRAGMA user_version = 0;")
        let older = StoreError.older(path: database.path, version: 0, known: Migrations.current)
        #expect(throws: older) { try DatabaseClient(path: database.path, access: .reading) }
    }

    @Test func `a reader cannot write`() throws {
        let client = try DatabaseClient(path: TestDatabase.current().path, access: .reading)
        #expect(throws: StoreError.noAccess(path: client.path, to: .write)) { try submit(client, ["a"]) }
        #expect(try client.jobs(limit: nil).isEmpty)
    }

    @Test func `every column that a user may set is set`() throws {
        let database = try TestDatabase.current()
        let client = try DatabaseClient(path: database.path, access: .writing)
        let settings: [JobSetting] = [
            .init(.label, .text("it's \"é\"")), .init(.uniqueKey, .text("k")), .init(.priority, .whole(-3)),
            .init(.runAt, .text("2040-01-02 03:04")), .init(.expiresAt, .text("2041-01-01")),
            .init(.maxAttempts, .whole(3)), .init(.onUnknown, .text("hold")), .init(.maxConcurrency, .whole(2)),
            .init(.maxErrors, .text("2%")), .init(.canary, .whole(1)), .init(.resultTimeout, .number(1.5)),
            .init(.serializeInstances, .whole(1)),
        ]
        #expect(settings.map(\.column) == JobSetting.Column.allCases, "a column without a value in this test")
        let id = try submit(client, ["a", "b'c", "d/e"], settings)
        #expect(
            try database.shell.rows(
                """
                SELECT label, unique_key, priority, run_at, expires_at, max_attempts, on_unknown, max_concurrency, max_errors,
                       canary, result_timeout, serialize_instances, state, command, instance_ids
                  FROM command_jobs
                """
            ) == [
                [
                    "it's \"é\"", "k", "-3", "2040-01-02T03:04:00.000Z", "2041-01-01T00:00:00.000Z", "3", "hold", "2",
                    "2%",
                    "1", "1.5", "1", "queued", Self.command, #"["a","b'c","d/e"]"#,
                ]
            ]
        )
        #expect(try client.settings(of: id).map(\.column) == JobSetting.Column.allCases)
        #expect(try client.settings(of: id).first { $0.column == .runAt }?.value == .text("2040-01-02T03:04:00.000Z"))
    }

    @Test func `the columns that a user may set are those of the schema`() throws {
        let known = try TestDatabase.current().shell.rows("SELECT name FROM pragma_table_info('command_jobs')")
        let others = [
            "id", "command", "state", "state_reason", "created_at", "started_at", "finished_at", "instance_ids",
        ]
        let columns = JobSetting.Column.allCases.map(\.rawValue)
        #expect(Set(columns).isSubset(of: known.map { $0[0] }))
        #expect(Set(columns).isDisjoint(with: others))
    }

    @Test(arguments: [
        ([JobSetting(.maxErrors, .text("x"))], "max_errors: a whole number such as 5, or a percentage from 0% to 100%"),
        ([JobSetting(.canary, .whole(0))], "canary: 1 or more"),
        (
            [JobSetting(.runAt, .text("+1 fortnight"))],
            "run_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00"
        ),
        ([JobSetting(.expiresAt, .text("2001-01-01"))], "expires_at: must be later than run_at"),
    ])
    func `a rule of the schema is what is said`(settings: [JobSetting], message: String) throws {
        let client = try DatabaseClient(path: TestDatabase.current().path, access: .writing)
        #expect(throws: StoreError.refused(reason: message)) { try submit(client, ["a"], settings) }
        #expect(try client.jobs(limit: nil).isEmpty)
    }

    @Test func `a time may count from now`() throws {
        let database = try TestDatabase.current()
        let client = try DatabaseClient(path: database.path, access: .writing)
        _ = try submit(client, ["a"], [.init(.runAt, .text("+2 hours")), .init(.expiresAt, .text("+1 day"))])
        let row = try database.shell.rows(
            """
            SELECT round((julianday(run_at) - julianday('now')) * 24, 1), round((julianday(expires_at) - julianday('now')) * 24, 1)
              FROM command_jobs
            """
        )
        #expect(row == [["2.0", "24.0"]])
    }

    @Test func `a job that is only checked leaves nothing`() throws {
        let client = try DatabaseClient(path: TestDatabase.current().path, access: .writing)
        try client.submit(command: Self.command, instanceIDs: ["a"], settings: [], dryRun: true)
        #expect(try client.jobCount() == 0)
        #expect(throws: StoreError.self) {
            try client.submit(command: "a;b", instanceIDs: ["a"], settings: [], dryRun: true)
        }
    }

    @Test func `a lock that is not freed is said`() throws {
        let database = try TestDatabase.current()
        let client = try DatabaseClient(path: database.path, access: .writing, busyTimeout: .milliseconds(1))
        let other = try database.observer()
        try other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
        #expect(throws: StoreError.locked(path: database.path, by: nil)) { try submit(client, ["a"]) }
        try other.inDatabase { try $0.execute(sql: "ROLLBACK") }
        #expect(throws: Never.self) { try submit(client, ["a"]) }
    }

    @Test func `it never writes the log back into the database`() throws {
        let database = try TestDatabase.current()
        // Holds the database open, as the daemon does: the last one to close writes the log back.
        let daemon = try database.store()
        let client = try DatabaseClient(path: database.path, access: .writing)
        let size = { try FileManager.default.attributesOfItem(atPath: database.path)[.size] as? Int }
        let before = try size()
        let ids = (0..<500).map { "instance-of-some-length-\($0)" }
        // Every commit would be one to write the log back after, from 1,000 pages on.
        for _ in 0..<300 { _ = try submit(client, ids) }
        let pages = try database.observer().read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
        #expect(pages > 1_000)
        #expect(try size() == before)
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: [DatabaseClient.Access.writing, .maintaining])
    func `the log stays when everybody has left, so that a user who may only read can look`(
        last access: DatabaseClient.Access
    ) throws {
        let database = try TestDatabase.current()
        do {
            let last = try DatabaseClient(path: database.path, access: access)
            _ = try submit(DatabaseClient(path: database.path, access: .writing), ["a"])
            try last.requireCurrentSchema()
        }
        for name in ["-wal", "-shm"] { #expect(FileManager.default.fileExists(atPath: database.path + name)) }
        #expect(try FileManager.default.attributesOfItem(atPath: database.path + "-wal")[.size] as? Int == 0)
    }

    @Test func `results are those of one moment and keep no transaction open`() throws {
        let database = try TestDatabase.current()
        let client = try DatabaseClient(path: database.path, access: .reading)
        try database.shell.rows(
            "INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"c\",\"a\",\"b\"]'), ('ls', '[\"z\"]');"
        )
        let results = try InstanceResults(of: CommandJobID(rawValue: 1), from: client)
        var seen: [String] = []
        try results.forEach { result in
            if seen.isEmpty {
                try database.shell.rows("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1;")
                // Nobody reads: the log can be written back whole.
                #expect(try database.shell.value("PRAGMA wal_checkpoint(TRUNCATE);") == "0")
            }
            seen.append("\(result.instanceID) \(result.state)")
        }
        #expect(seen == ["c pending", "a pending", "b pending"])
        var after: [String] = []
        try InstanceResults(of: CommandJobID(rawValue: 1), in: [.cancelled], from: client).forEach {
            after.append($0.instanceID)
        }
        #expect(after == ["c", "a", "b"])
        after = []
        try InstanceResults(of: CommandJobID(rawValue: 1), in: [.failed], from: client).forEach {
            after.append($0.instanceID)
        }
        #expect(after.isEmpty)
        #expect(throws: StoreError.noJob(id: 9)) {
            try InstanceResults(of: CommandJobID(rawValue: 9), from: client)
        }
        #expect(throws: StoreError.noAccess(path: client.path, to: .write)) { try submit(client, ["a"]) }
    }

    @Test func `jobs are steered, and what changes nothing is no error`() throws {
        let client = try DatabaseClient(path: TestDatabase.current().path, access: .writing)
        let id = try submit(client, ["a", "b"])
        func steer(_ control: JobControl) throws -> [CommandJobState] {
            let (before, after) = try client.steer(id, control)
            return [before.state, after.state]
        }
        #expect(try steer(.resume) == [.queued, .queued])
        #expect(try steer(.pause) == [.queued, .paused])
        #expect(try steer(.pause) == [.paused, .paused])
        #expect(try steer(.resume) == [.paused, .running])
        #expect(try steer(.cancel) == [.running, .cancelled])
        #expect(try steer(.cancel) == [.cancelled, .cancelled])
        #expect(throws: StoreError.self) { try steer(.pause) }
        #expect(try steer(.retry()) == [.cancelled, .queued])
        #expect(try steer(.retry()) == [.queued, .queued])
        #expect(throws: StoreError.noJob(id: 9)) {
            try client.steer(CommandJobID(rawValue: 9), .cancel)
        }
    }

    @Test func `a job whose time is over runs again with another time, or none`() throws {
        let database = try TestDatabase.current()
        let client = try DatabaseClient(path: database.path, access: .writing)
        try database.shell.rows(
            """
            INSERT INTO command_jobs (command, instance_ids, run_at, expires_at)
            VALUES ('ls', '["a"]', '2020-01-01', '2020-01-02'), ('ls', '["b"]', '2020-01-01', '2020-01-02');
            UPDATE command_jobs SET state = 'expired';
            """
        )
        let (one, two) = (CommandJobID(rawValue: 1), CommandJobID(rawValue: 2))
        let refusal = StoreError.refused(reason: "expires_at: is past; set a later time or NULL in the same UPDATE")
        #expect(throws: refusal) { try client.steer(one, .retry()) }
        _ = try client.steer(one, .retry(expiresAt: "+1 hour"))
        _ = try client.steer(two, .retry(expiresAt: "never"))
        let expiring = try database.shell.rows("SELECT id, expires_at > run_at, expires_at IS NULL FROM command_jobs")
        #expect(expiring == [["1", "1", "0"], ["2", "", "1"]])
    }

    @Test func `unfinished jobs come first`() throws {
        let client = try DatabaseClient(path: TestDatabase.current().path, access: .writing)
        let ids = try (0..<4).map { try submit(client, ["i\($0)"]) }
        _ = try client.steer(ids[1], .cancel)
        _ = try client.steer(ids[3], .cancel)
        #expect(try client.jobs(limit: nil).map(\.id) == [ids[2], ids[0], ids[3], ids[1]])
        #expect(try client.jobs(limit: 3).map(\.id) == [ids[2], ids[0], ids[3]])
        #expect(try client.unfinishedJobs().map(\.id) == [ids[0], ids[2]])
        #expect(try client.unfinishedJobs(and: [ids[3]]).map(\.id) == [ids[0], ids[2], ids[3]])
        #expect(try client.jobCount() == 4)
    }
}
