import Foundation

/// The file system of the database: whether there is room.
struct SpaceCheck: DoctorCheck {
    private static let name = "disk"
    private static let little = 1_000_000_000
    private static let tooLittle = 100_000_000

    let database: String

    func findings() -> [Finding] {
        let directory = URL(filePath: database).deletingLastPathComponent().path
        var facts = statvfs()
        guard statvfs(directory, &facts) == 0 else { return [] }
        return [Self.finding(directory: directory, free: Int(facts.f_bavail) * Int(facts.f_frsize))]
    }

    static func finding(directory: String, free: Int) -> Finding {
        let message = "\(free / 1_000_000) MB are free in \(directory)"
        if free >= little { return .ok(name, message) }
        let advice = "Make room, or delete old jobs: koobatch prune --older-than 7d (the space is used again)."
        return free < tooLittle ? .problem(name, message, advice: advice) : .warning(name, message, advice: advice)
    }
}

/// The write-ahead log: whether somebody keeps it from being used again.
///
/// Only its size is looked at: to ask SQLite would be to checkpoint beside the daemon.
struct LogFileCheck: DoctorCheck {
    private static let name = "wal"
    /// The daemon checkpoints from 1.6 MB on, and cuts the file down to 4 MB when it starts anew.
    private static let large = 64_000_000

    let database: String

    func findings() -> [Finding] {
        guard let facts = FileFacts(database + "-wal") else { return [] }
        return [Self.finding(database: database, size: facts.size)]
    }

    static func finding(database: String, size: Int) -> Finding {
        let message = "the write-ahead log has \(size / 1_000_000) MB"
        if size < large { return .ok(name, message) }
        return .warning(
            name,
            "\(message): a reader keeps an old snapshot open, or much was written at once",
            advice: "Find who has the database open with lsof \(database)-shm, and end a transaction that lasts long."
        )
    }
}
