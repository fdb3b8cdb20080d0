import GRDB
public import KoobatchCore
import KoobatchMigrations

extension DatabaseClient {
    /// What the daemon wrote of itself.
    public struct DaemonFacts: Hashable, Sendable {
        /// Its process; `nil` if no daemon ever ran.
        public let pid: Int?
        /// Its version.
        public let version: String?
        /// Its last heartbeat; there is one every 10 seconds.
        public let heartbeat: Timestamp?
        /// When it stopped in order, if it did.
        public let stopped: Timestamp?
        /// Whether the API refused its credentials last.
        public let credentialsRefused: Bool
        /// The last failure that made requests pause.
        public let lastError: String?
        /// What its clock was trusted for at its last heartbeat: earlier than that while a leap forward is doubted.
        public let trusted: Timestamp?

        /// Creates facts.
        public init(
            pid: Int?,
            version: String?,
            heartbeat: Timestamp?,
            stopped: Timestamp?,
            credentialsRefused: Bool,
            lastError: String?,
            trusted: Timestamp? = nil
        ) {
            self.pid = pid
            self.version = version
            self.heartbeat = heartbeat
            self.stopped = stopped
            self.credentialsRefused = credentialsRefused
            self.lastError = lastError
            self.trusted = trusted
        }
    }

    /// What the daemon wrote of itself.
    public func daemonFacts() throws -> DaemonFacts {
        try database.inDatabase { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT pid, version, heartbeat_at, stopped_at, credentials = 'refused', last_error, trusted_at
                      FROM daemon_state
                    """
            )
            return DaemonFacts(
                pid: row?[0],
                version: row?[1],
                heartbeat: row?[2],
                stopped: row?[3],
                credentialsRefused: row?[4] ?? false,
                lastError: row?[5],
                trusted: row?[6]
            )
        }
    }

    /// The first thing that is wrong with the content.
    ///
    /// - Parameter full: also holds every index against its table.
    public func flaw(full: Bool) throws -> String? {
        do {
            return try database.inDatabase { try DatabaseFlaws.first($0, full: full) }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
            return error.message ?? "\(error)"
        }
    }

    /// The version of the SQLite library in use, such as `3.40.1`.
    public static func libraryVersion() throws -> String {
        try DatabaseQueue().inDatabase { try String.fetchOne($0, sql: "SELECT sqlite_version()") ?? "" }
    }

    /// The schema version that this program works with.
    public static var knownSchemaVersion: Int { Migrations.current }
}
