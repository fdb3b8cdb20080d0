import GRDB
import KoobatchCore
import KoobatchMigrations

/// Brings a database to the current schema version, which `PRAGMA user_version` holds.
enum Migrator {
    /// Throws unless the database is koobatch's and of the current version.
    static func check(_ db: Database, path: String) throws {
        let version = try knownVersion(db, path: path)
        let known = Migrations.current
        if version < known { throw StoreError.older(path: path, version: version, known: known) }
    }

    /// Applies what is missing, each migration in a transaction of its own; a crash leaves a whole version.
    static func migrate(_ db: Database, path: String) throws -> (from: Int, to: Int) {
        let from = try knownVersion(db, path: path)
        for migration in Migrations.all where migration.version > from {
            try db.inTransaction(.immediate) {
                // Read again: another process may have migrated meanwhile.
                if try self.version(db, path: path) < migration.version {
                    try db.execute(sql: migration.sql)
                    try db.execute(sql: "PRAGMA user_version = \(migration.version)")
                    // What edits the text of the schema does not tell other connections to read it again.
                    let cookie = try Int.fetchOne(db, sql: "PRAGMA schema_version") ?? 0
                    try db.execute(sql: "PRAGMA schema_version = \(cookie + 1)")
                }
                return .commit
            }
        }
        return (from, Migrations.current)
    }

    private static func knownVersion(_ db: Database, path: String) throws -> Int {
        let version = try version(db, path: path)
        let known = Migrations.current
        if (1..<Migrations.oldest).contains(version) { throw StoreError.preRelease(path: path, version: version) }
        if version > known { throw StoreError.newer(path: path, version: version, known: known) }
        return version
    }

    /// The schema version, 0 for a new database; throws for a database of something else.
    static func version(_ db: Database, path: String) throws -> Int {
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if application == Migrations.applicationID { return version }
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        guard application == 0, version == 0 else { throw StoreError.foreign(path: path) }
        guard tables > 0 else { return 0 }
        throw try isUnmarked(db) ? StoreError.unmarked(path: path) : .foreign(path: path)
    }
}

/// Text copies, which do not say whose they are.
extension Migrator {
    /// Whether a database without any mark has the tables of ours.
    private static func isUnmarked(_ db: Database) throws -> Bool {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(*)
                  FROM sqlite_schema
                 WHERE type = 'table'
                   AND name IN ('command_jobs', 'job_progress', 'chunks', 'chunk_instances', 'attempts', 'error_policies')
                """
        ) == 6
    }

    static func markCopy(path: String) throws -> Int? {
        guard FileSystem.exists(path) else { return nil }
        do {
            let database = try DatabaseQueue(path: path, as: .marking)
            return try database.inDatabase { db in
                do {
                    _ = try version(db, path: path)
                    return nil
                } catch StoreError.unmarked {
                    var lost = 0
                    try db.inTransaction(.immediate) {
                        lost = try mark(db, path: path)
                        return .commit
                    }
                    return lost
                }
            }
        } catch let error as DatabaseError {
            throw StoreError(opening: error, path: path)
        }
    }

    /// Returns how many jobs have left rows and are missing themselves.
    private static func mark(_ db: Database, path: String) throws -> Int {
        let found = try schema(of: db)
        var model: (version: Int, objects: [SchemaObject])?
        var policies: [Row] = []
        try DatabaseQueue().inDatabase { db in
            for migration in Migrations.all {
                try db.execute(sql: migration.sql)
                let objects = try schema(of: db)
                // Others may have added tables and triggers of their own.
                if objects.allSatisfy({ $0.type != "table" || found.contains($0) }) {
                    model = (migration.version, objects)
                }
            }
            policies = try Row.fetchAll(db, sql: "SELECT code, action, note FROM error_policies")
        }
        guard let model else { throw StoreError.otherSchema(path: path) }
        for object in model.objects where !found.contains(object) {
            try db.execute(sql: "DROP \(object.type) IF EXISTS \(object.name); \(object.sql)")
        }
        if try Int.fetchOne(db, sql: "SELECT count(*) FROM error_policies") == 0 {
            for row in policies {
                try db.execute(
                    sql: "INSERT INTO error_policies (code, action, note) VALUES (?, ?, ?)",
                    arguments: StatementArguments(row.databaseValues)
                )
            }
        }
        let lost = try Int.fetchOne(
            db,
            sql: """
                SELECT count(*)
                  FROM (SELECT command_job_id FROM job_progress UNION SELECT command_job_id FROM chunks)
                 WHERE command_job_id NOT IN (SELECT id FROM command_jobs)
                """
        )
        try db.execute(
            sql: """
                DELETE FROM job_progress WHERE command_job_id NOT IN (SELECT id FROM command_jobs);
                DELETE FROM chunks WHERE command_job_id NOT IN (SELECT id FROM command_jobs);
                UPDATE chunks SET split_from = NULL WHERE split_from NOT IN (SELECT id FROM chunks);
                DELETE FROM chunk_instances WHERE chunk_id NOT IN (SELECT id FROM chunks);
                DELETE FROM attempts WHERE chunk_id NOT IN (SELECT id FROM chunks);
                INSERT INTO daemon_state (id) VALUES (1) ON CONFLICT DO NOTHING;
                UPDATE daemon_state
                   SET backup_at = coalesce(backup_at, heartbeat_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
                PRAGMA application_id = \(Migrations.applicationID);
                PRAGMA user_version = \(model.version);
                """
        )
        return lost ?? 0
    }

    private struct SchemaObject: Hashable {
        let type: String
        let name: String
        let sql: String
    }

    private static func schema(of db: Database) throws -> [SchemaObject] {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
        )
        return rows.map { SchemaObject(type: $0[0], name: $0[1], sql: $0[2]) }
    }
}
