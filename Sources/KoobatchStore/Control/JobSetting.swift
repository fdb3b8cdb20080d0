public import GRDB

/// A column of `command_jobs` that a user sets, beside the command and the instances, and its value.
public struct JobSetting: Hashable, Sendable {
    /// Which column; the raw value is its name.
    ///
    /// One more column of the schema is one more case here.
    public enum Column: String, CaseIterable, Sendable {
        /// Free text for people.
        case label
        /// At most one unfinished job per key.
        case uniqueKey = "unique_key"
        /// Higher goes first.
        case priority
        /// Not before.
        case runAt = "run_at"
        /// Instances not submitted by then never will be.
        case expiresAt = "expires_at"
        /// Attempts per chunk.
        case maxAttempts = "max_attempts"
        /// What to do when an answer was lost.
        case onUnknown = "on_unknown"
        /// Chunks in flight at once.
        case maxConcurrency = "max_concurrency"
        /// Failures that pause the job.
        case maxErrors = "max_errors"
        /// Instances that go first.
        case canary
        /// Seconds until a result that never came counts as unknown.
        case resultTimeout = "result_timeout"
        /// Whether the job waits, on each instance, for the results of earlier ones.
        case serializeInstances = "serialize_instances"

        /// What stands for the value in a statement.
        ///
        /// A time may begin with `+`, as in `+1 hour`: a modifier of SQLite's date functions, applied to now
        /// (https://sqlite.org/lang_datefunc.html#modifiers). What is no modifier stays as it is, for the schema to refuse.
        var placeholder: String {
            switch self {
            case .runAt, .expiresAt:
                """
                (SELECT CASE WHEN given GLOB '+*'
                             THEN coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', 'now', given), given)
                             ELSE given
                        END
                   FROM (SELECT ? AS given))
                """
            default: "?"
            }
        }
    }

    /// A value as SQLite stores it.
    public enum Value: Hashable, Sendable {
        /// A whole number.
        case whole(Int64)
        /// Any other number.
        case number(Double)
        /// Text.
        case text(String)
    }

    /// The column.
    public let column: Column
    /// Its value.
    public let value: Value

    /// Pairs a column with a value.
    public init(_ column: Column, _ value: Value) {
        self.column = column
        self.value = value
    }
}

extension JobSetting.Value: DatabaseValueConvertible {
    /// The value as SQLite stores it.
    public var databaseValue: DatabaseValue {
        switch self {
        case .whole(let number): number.databaseValue
        case .number(let number): number.databaseValue
        case .text(let text): text.databaseValue
        }
    }

    /// The value of a column; `nil` for `NULL` and for blobs.
    public static func fromDatabaseValue(_ value: DatabaseValue) -> JobSetting.Value? {
        switch value.storage {
        case .int64(let number): .whole(number)
        case .double(let number): .number(number)
        case .string(let text): .text(text)
        case .null, .blob: nil
        }
    }
}
