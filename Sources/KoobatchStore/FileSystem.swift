#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The few facts about files that SQLite does not tell.
enum FileSystem {
    /// Whether something is at the path.
    ///
    /// Opens nothing: closing a descriptor of a database drops SQLite's locks.
    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Whether permissions hide the file, or what is in it, from this user.
    static func isHidden(_ path: String) -> Bool {
        access(path, R_OK) != 0 && errno == EACCES
    }
}
