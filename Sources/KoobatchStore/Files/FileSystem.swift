import Foundation

/// The few dealings with files that SQLite does not do.
enum FileSystem {
    /// A call of the system that failed.
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ action: String, _ path: String) {
            description = "cannot \(action) \(path): \(String(cString: strerror(errno)))"
        }
    }

    /// Whether something is at the path.
    ///
    /// Opens nothing: closing a descriptor of a database drops SQLite's locks.
    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Creates an empty file for those who share its directory; what is there already stays as it is.
    ///
    /// A shared directory has the set-group-ID bit and lets its group write. There the group may write the file too,
    /// whatever the umask; SQLite gives the `-wal` and the `-shm` the mode of their database. Elsewhere the mode is 0644
    /// less the umask, as SQLite has it. Root hands the file to the owner of the directory, so that a daemon without
    /// privileges can work on what root created.
    ///
    /// What fails here fails again, with its reason, when the caller opens the file.
    static func createIfMissing(_ path: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        // Nobody has locked a file that is this new, so closing it drops no locks of SQLite.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var directory = stat()
        guard stat(Self.directory(of: path), &directory) == 0 else { return }
        giveToOwnerOfDirectory(descriptor, path)
        // Set-group-ID and writable for the group.
        let shared: mode_t = 0o2020
        if directory.st_mode & shared == shared { fchmod(descriptor, 0o660) }
    }

    /// Has root hand a new file to the owner of its directory, so that a daemon without privileges can use it.
    static func giveToOwnerOfDirectory(_ descriptor: Int32, _ path: String) {
        var owner = stat()
        guard geteuid() == 0, stat(directory(of: path), &owner) == 0 else { return }
        fchown(descriptor, owner.st_uid, owner.st_gid)
    }

    /// The size of a file in bytes; 0 where there is none.
    static func size(_ path: String) -> Int {
        var facts = stat()
        return stat(path, &facts) == 0 ? Int(facts.st_size) : 0
    }

    /// Whether two paths lead to one file.
    static func isSame(_ one: String, _ other: String) -> Bool {
        FileIdentity(path: one).map { $0 == FileIdentity(path: other) } ?? false
    }

    /// Creates an empty file that must not be there.
    static func create(_ path: String, mode: mode_t) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw Failure("create", path) }
        defer { close(descriptor) }
        // Whatever the umask: who may read the database may read its copy.
        guard fchmod(descriptor, mode) == 0 else { throw Failure("set the mode of", path) }
    }

    /// Returns once the file is on the disk.
    static func sync(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Failure("write to the disk", path) }
    }

    /// Renames a file and puts the new name on the disk.
    static func rename(_ path: String, to name: String) throws {
        guard Foundation.rename(path, name) == 0 else { throw Failure("rename to", name) }
        try syncDirectory(of: name)
    }

    /// Returns once the names in the directory of a file are on the disk.
    static func syncDirectory(of path: String) throws {
        try sync(directory(of: path))
    }

    private static func directory(of path: String) -> String {
        let slash = path.lastIndex(of: "/")
        return slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// Removes a file, and what SQLite may have left beside it.
    static func remove(_ path: String) {
        for name in [path, path + "-journal", path + "-wal", path + "-shm"] { unlink(name) }
    }

    /// Whether permissions hide the file, or what is in it, from this user.
    static func isHidden(_ path: String) -> Bool {
        access(path, R_OK) != 0 && errno == EACCES
    }
}
