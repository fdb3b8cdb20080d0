#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What SQLite does not do about files.
enum FileSystem {
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
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        var directory = stat()
        guard stat(parent, &directory) == 0 else { return }
        if geteuid() == 0 { fchown(descriptor, directory.st_uid, directory.st_gid) }
        // Set-group-ID and writable for the group.
        let shared: mode_t = 0o2020
        if directory.st_mode & shared == shared { fchmod(descriptor, 0o660) }
    }
}
