import GRDB
public import KoobatchCore

/// A job that cannot go on: a rule of the schema or a trigger refuses what is to be written about it, or its list is
/// damaged.
///
/// What was to be written about it is undone; other jobs go on without it.
public struct StuckJob: Error, Hashable, Sendable {
    /// The job.
    public let id: CommandJobID
    /// What is wrong, for an operator.
    public let reason: String

    /// Creates a stuck job.
    public init(id: CommandJobID, reason: String) {
        self.id = id
        self.reason = reason
    }

    /// Runs a step about one job, in a transaction that is for this job alone or is begun anew without it.
    ///
    /// - Throws: `StuckJob` when a rule refuses what is written; other errors concern the database as a whole.
    static func naming<Value>(_ job: CommandJobID, _ step: () throws -> Value) throws -> Value {
        do {
            return try step()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw StuckJob(id: job, reason: error.message ?? "\(error)")
        }
    }
}
