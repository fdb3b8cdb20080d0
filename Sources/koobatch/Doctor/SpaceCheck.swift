import Foundation
import KoobatchStore

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
    let database: String

    func findings() -> [Finding] {
        guard let facts = FileFacts(database + "-wal") else { return [] }
        return [Self.finding(database: database, size: facts.size)]
    }

    static func finding(database: String, size: Int) -> Finding {
        let message = "the write-ahead log has \(size / 1_000_000) MB"
        if size < WriteAheadLog.warningSize { return .ok(name, message) }
        return .warning(
            name,
            "\(message): readers that overlap, or a transaction that lasts long, keep it from being emptied",
            advice: "Find who has the database open with lsof \(database)-shm; end a transaction that lasts long, and"
                + " leave a pause between reads that follow each other. The daemon empties it in the first quiet moment."
        )
    }
}
