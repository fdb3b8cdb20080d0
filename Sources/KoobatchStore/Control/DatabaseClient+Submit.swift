import GRDB
public import KoobatchCore

extension DatabaseClient {
    /// Inserts a job; on the disk when the call returns.
    ///
    /// - Parameters:
    ///   - command: the command.
    ///   - instanceIDs: the instances.
    ///   - settings: the columns that are not left to their defaults.
    ///   - paused: whether it waits until it is resumed.
    ///   - dryRun: only checks the job against every rule of the schema and stores nothing.
    /// - Returns: the id; of a dry run one that stays free.
    /// - Throws: `StoreError.refused` with the rule that the job breaks.
    @discardableResult
    public func submit(
        command: String,
        instanceIDs: [String],
        settings: [JobSetting],
        paused: Bool = false,
        dryRun: Bool = false
    ) throws -> CommandJobID {
        let columns = ["command", "instance_ids", "state"] + settings.map(\.column.rawValue)
        let placeholders = ["?", "?", "?"] + settings.map(\.column.placeholder)
        let state = paused ? CommandJobState.paused : .queued
        let values: [(any DatabaseValueConvertible)?] =
            [command, JSONText.array(instanceIDs), state] + settings.map(\.value)
        return try withoutTransaction { db in
            var id: Int64 = 0
            try db.inTransaction(.immediate) {
                try db.execute(
                    sql: """
                        INSERT INTO command_jobs (\(columns.joined(separator: ", ")))
                        VALUES (\(placeholders.joined(separator: ", ")))
                        """,
                    arguments: StatementArguments(values)
                )
                id = db.lastInsertedRowID
                return dryRun ? .rollback : .commit
            }
            return CommandJobID(rawValue: id)
        }
    }
}
