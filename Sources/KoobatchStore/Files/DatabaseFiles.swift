import Foundation

/// Which file something is.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    /// The file at a path; `nil` if there is none.
    init?(path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        self.init(facts)
    }

    /// The file of a descriptor.
    init?(descriptor: Int32) {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { return nil }
        self.init(facts)
    }

    private init(_ facts: stat) {
        (device, inode) = (UInt64(facts.st_dev), UInt64(facts.st_ino))
    }
}

/// The files of a database that is open: the same as long as nobody moves, deletes or replaces one.
///
/// Of a database whose file was moved SQLite goes on to use the file, and whoever opens the path uses another one, both
/// with the same log (https://sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use). What is
/// written into the very same file, as `cp` does, is for `DatabaseContent` to notice.
struct DatabaseFiles: Sendable {
    private let database: String
    private let expected: [(path: String, identity: FileIdentity?)]

    /// Looks at the files of a database that a connection of this process has read.
    init(database path: String) {
        database = path
        expected = ["", "-wal", "-shm"].map { (path + $0, FileIdentity(path: path + $0)) }
    }

    /// The inodes of the database and of its log.
    var inodes: (database: UInt64, log: UInt64) {
        (expected[0].identity?.inode ?? 0, expected[1].identity?.inode ?? 0)
    }

    /// Throws if one of the files is gone or another one: costs three system calls.
    ///
    /// - Throws: `StoreError.replaced`.
    func requireUnchanged() throws {
        for (path, identity) in expected {
            let found = FileIdentity(path: path)
            if found != identity { throw StoreError.replaced(path: database, file: path, isGone: found == nil) }
        }
    }
}
