/// The schema's migrations, embedded in the code.
public enum Migrations {
    /// One step of the schema: from the version before to `version`.
    public struct Migration: Sendable {
        /// What `PRAGMA user_version` is afterwards.
        public let version: Int
        /// Statements that run in one transaction.
        public let sql: String
    }

    /// Every migration in order.
    ///
    /// Landed ones are never edited from the first release on.
    public static let all: [Migration] = [
        Migration(version: 10, sql: String(decoding: PackageResources._001_schema_sql, as: UTF8.self)),
        Migration(version: 11, sql: String(decoding: PackageResources._002_cheaper_checks_sql, as: UTF8.self)),
        Migration(version: 12, sql: String(decoding: PackageResources._003_change_in_place_sql, as: UTF8.self)),
    ]

    /// The version of a database that every migration has been applied to.
    public static var current: Int { all.last?.version ?? 0 }

    /// Versions below belong to pre-releases, whose databases cannot be upgraded.
    public static let oldest = 10

    /// What `PRAGMA application_id` is in a koobatch database.
    public static let applicationID = 1_265_594_210
}
