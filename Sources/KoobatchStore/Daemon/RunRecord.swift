import KoobatchCore

/// How far the daemon has come with a database, kept beside it in the lock file.
///
/// An older copy that is put in the place of the database says less than the record, and a copy that is put elsewhere has
/// none: so a restored database is recognised however the copy was made (`cp`, `.backup`, `VACUUM INTO`, `.clone`).
///
/// What it takes for restored although nothing was lost: a database that was moved to another machine or file system, with
/// its lock file or without, and one whose lock file was removed. That cannot be told from a copy of last night that is put
/// on a new disk, and there the command would run twice; a pause costs a `koobatch resume` of each unfinished job. The
/// device is left out, because its number can change with a reboot; an upgrade of the package changes nothing. What it does
/// not recognise: a snapshot of the whole file system or machine, and a copy of database and lock file written over the
/// very same two files.
struct RunRecord: Hashable {
    /// `daemon_state.heartbeat_at`.
    var heartbeat = Timestamp(millisecondsSinceEpoch: 0)
    /// The highest id of `attempts`.
    var attempt: Int64 = 0
    /// The inode of the database file.
    var database: UInt64 = 0
    /// The inode of its log.
    var log: UInt64 = 0
}

extension RunRecord: LosslessStringConvertible {
    /// One line, always of the same length.
    var description: String {
        ([heartbeat.description]
            + [String(attempt), String(database), String(log)].map { number in
                String(repeating: " ", count: max(0, 20 - number.count)) + number
            }).joined(separator: " ")
    }

    init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 4, let heartbeat = Timestamp(String(parts[0])), let attempt = Int64(parts[1]),
            let database = UInt64(parts[2]), let log = UInt64(parts[3])
        else { return nil }
        self.init(heartbeat: heartbeat, attempt: attempt, database: database, log: log)
    }
}
