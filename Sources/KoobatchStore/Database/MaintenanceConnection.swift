import GRDB
import KoobatchCore
import KoobatchMigrations

/// A connection of a program beside the daemon that looks after the database.
///
/// It never checkpoints: SQLite before 3.51.3 can corrupt a database when one connection writes while another
/// checkpoints (https://sqlite.org/wal.html#walresetbug), and the daemon does both. (As the last one to close the
/// database it may, when nobody else has it open.)
public struct MaintenanceConnection: Sendable {
    let database: DatabaseQueue
    /// Where the database is.
    public let path: String

    /// Opens a database that exists; of any schema version.
    ///
    /// - Throws: `StoreError` where there is none, or it cannot be opened or is of another program.
    public init(path: String, busyTimeout: Duration = .seconds(5)) throws {
        guard FileSystem.exists(path) else { throw StoreError.missing(path: path) }
        var configuration = Configuration()
        configuration.label = "koobatch-maintenance"
        configuration.busyMode = .timeout(busyTimeout.inSeconds)
        configuration.foreignKeysEnabled = false
        configuration.maximumReaderCount = 1
        let mark = ClientMark(database: path)
        configuration.prepareDatabase { db in
            // Lives as long as the connection, which keeps its configuration.
            withExtendedLifetime(mark) {}
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            try db.execute(sql: "PRAGMA secure_delete = OFF")
            // A job is deleted a little at a time, which a trigger refuses to people.
            try db.disableTriggers()
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            _ = try database.inDatabase { try Migrator.version($0, path: path) }
        } catch let error as DatabaseError {
            throw StoreError(opening: error, path: path)
        }
        self.path = path
    }

    /// Throws unless the database is of the current schema version.
    public func requireCurrentSchema() throws {
        try database.inDatabase { try Migrator.check($0, path: path) }
    }
}
