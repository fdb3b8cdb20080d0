import Foundation

/// The files of the database: whether they are there and this user may use them.
struct FilesCheck: DoctorCheck {
    private static let name = "files"

    let database: String

    func findings() -> [Finding] {
        let directory = URL(filePath: database).deletingLastPathComponent().path
        if let flaw = flaw(of: directory, mode: X_OK, verb: "look into") { return [flaw] }
        guard access(database, F_OK) == 0 else {
            return [
                .problem(Self.name, "there is no database at \(database)", advice: "Create it with: koobatch migrate")
            ]
        }
        let wanted: [(String, Int32, String)] = [
            // SQLite keeps the write-ahead log and its index beside the database.
            (directory, R_OK | W_OK | X_OK, "write in"), (database, R_OK | W_OK, "write to"),
            ("\(database)-wal", R_OK | W_OK, "write to"), ("\(database)-shm", R_OK | W_OK, "write to"),
        ]
        let flaws = wanted.compactMap { path, mode, verb in
            access(path, F_OK) == 0 ? flaw(of: path, mode: mode, verb: verb) : nil
        }
        return flaws.isEmpty ? [.ok(Self.name, "\(database) and its directory can be written")] : flaws
    }

    private func flaw(of path: String, mode: Int32, verb: String) -> Finding? {
        guard access(path, mode) != 0 else { return nil }
        let reason = errno
        guard reason == EACCES, let facts = FileFacts(path) else {
            return .problem(
                Self.name,
                "\(path): \(String(cString: strerror(reason)))",
                advice: reason == ENOENT
                    ? "Create it, or set database to another path."
                    : "Put the database on a local file system that can be written."
            )
        }
        let user = FileFacts.userName(geteuid())
        return .problem(
            Self.name,
            "\(user) may not \(verb) \(path), which belongs to \(facts.owner):\(facts.group) with mode \(facts.mode)",
            advice: facts.isOpenToGroup && !FileFacts.groups.contains(facts.groupID)
                ? "Join its group: \(GroupAdvice.command(facts)), and log in again; or use sudo."
                : "Use sudo, or have its owner let the group write: chmod g+rw\(facts.isDirectory ? "x" : "") \(path)"
        )
    }
}

/// Who owns a file and who may use it.
struct FileFacts {
    let owner: String
    let group: String
    let groupID: gid_t
    let mode: String
    let isOpenToGroup: Bool
    let isReadableByOthers: Bool
    let isRegular: Bool
    let isDirectory: Bool
    let size: Int

    init?(_ path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        owner = Self.userName(facts.st_uid)
        group = getgrgid(facts.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(facts.st_gid)"
        groupID = facts.st_gid
        mode = String(facts.st_mode & 0o7777, radix: 8)
        isOpenToGroup = facts.st_mode & S_IWGRP != 0
        isReadableByOthers = facts.st_mode & S_IROTH != 0
        isRegular = facts.st_mode & S_IFMT == S_IFREG
        isDirectory = facts.st_mode & S_IFMT == S_IFDIR
        size = Int(facts.st_size)
    }

    static func userName(_ id: uid_t) -> String {
        getpwuid(id).map { String(cString: $0.pointee.pw_name) } ?? "user \(id)"
    }

    /// The groups of this process.
    static var groups: Set<gid_t> {
        var list = [gid_t](repeating: 0, count: Int(max(getgroups(0, nil), 0)))
        let count = getgroups(Int32(list.count), &list)
        return Set(list.prefix(Int(max(count, 0)))).union([getegid()])
    }
}
