import GRDB
import KoobatchMigrations

/// Brings a database to the current schema version, which `PRAGMA user_version` holds.
enum Migrator {
    /// Throws unless the database is koobatch's and of the current version.
    static func check(_ db: Database, path: String) throws {
        let version = try version(db, path: path)
        let known = Migrations.current
        if (1..<Migrations.oldest).contains(version) { throw StoreError.preRelease(path: path, version: version) }
        if version > known { throw StoreError.newer(path: path, version: version, known: known) }
        if version < known { throw StoreError.older(path: path, version: version, known: known) }
    }

    /// Applies what is missing, each migration in a transaction of its own; a crash leaves a whole version.
    static func migrate(_ db: Database, path: String) throws -> (from: Int, to: Int) {
        let from = try version(db, path: path)
        let known = Migrations.current
        if (1..<Migrations.oldest).contains(from) { throw StoreError.preRelease(path: path, version: from) }
        if from > known { throw StoreError.newer(path: path, version: from, known: known) }
        for migration in Migrations.all {
            try db.inTransaction(.immediate) {
                // Read again: another process may have migrated meanwhile.
                if try self.version(db, path: path) < migration.version {
                    try db.execute(sql: migration.sql)
                    try db.execute(sql: "PRAGMA user_version = \(migration.version)")
                }
                return .commit
            }
        }
        return (from, known)
    }

    /// The schema version, 0 for a new database; throws for a database of something else.
    static func version(_ db: Database, path: String) throws -> Int {
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        let isNew = application == 0 && version == 0 && tables == 0
        guard isNew || application == Migrations.applicationID else { throw StoreError.foreign(path: path) }
        return version
    }
}
