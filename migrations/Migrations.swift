/// The schema's migrations, embedded in the code.
public enum Migrations {
    /// One step of the schema: from the version before to `version`.
    public struct Migration: Sendable {
        /// What `PRAGMA user_version` is afterwards.
        public let version: Int
        /// Statements that run in one transaction.
        public let sql: String
    }

    /// Every migration in order; versions count from 1 without gaps.
    ///
    /// Landed ones are never edited.
    public static let all: [Migration] = [
        Migration(version: 1, sql: String(decoding: PackageResources._001_initial_sql, as: UTF8.self)),
        Migration(version: 2, sql: String(decoding: PackageResources._002_results_sql, as: UTF8.self)),
        Migration(version: 3, sql: String(decoding: PackageResources._003_steering_sql, as: UTF8.self)),
        Migration(version: 4, sql: String(decoding: PackageResources._004_operation_sql, as: UTF8.self)),
        Migration(version: 5, sql: String(decoding: PackageResources._005_guards_sql, as: UTF8.self)),
    ]

    /// The version of a database that every migration has been applied to.
    public static var current: Int { all.count }

    /// What `PRAGMA application_id` is in a koobatch database.
    public static let applicationID = 1_265_594_210
}
