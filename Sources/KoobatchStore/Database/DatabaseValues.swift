public import GRDB
public import KoobatchCore

// How the vocabulary of Core is read from and written to columns.

extension Timestamp: DatabaseValueConvertible {
    /// The text of the database.
    public var databaseValue: DatabaseValue { description.databaseValue }

    /// The timestamp of a column, if it has the one form of time.
    public static func fromDatabaseValue(_ value: DatabaseValue) -> Timestamp? {
        String.fromDatabaseValue(value).flatMap(Timestamp.init)
    }
}

extension CommandJobID: DatabaseValueConvertible {}
extension ChunkID: DatabaseValueConvertible {}
extension AttemptID: DatabaseValueConvertible {}
extension RequestID: DatabaseValueConvertible {}
extension CommandJobState: DatabaseValueConvertible {}
extension ChunkState: DatabaseValueConvertible {}
extension InstanceState: DatabaseValueConvertible {}
extension OnUnknown: DatabaseValueConvertible {}
extension ErrorAction: DatabaseValueConvertible {}
extension JobReport.RequestOutcome: DatabaseValueConvertible {}
