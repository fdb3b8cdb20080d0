import Foundation

/// What tells one content of a file from another without reading it.
struct FileVersion: Hashable, Sendable {
    private let device: dev_t
    private let inode: ino_t
    private let size: off_t
    private let seconds: Int
    private let nanoseconds: Int
    let mode: mode_t

    /// The version of the file at a path; `nil` if there is none.
    init?(path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        self.init(facts)
    }

    /// The version of an open file.
    init?(descriptor: Int32) {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { return nil }
        self.init(facts)
    }

    private init(_ facts: stat) {
        device = facts.st_dev
        inode = facts.st_ino
        size = facts.st_size
        mode = facts.st_mode
        #if canImport(Darwin)
            seconds = facts.st_mtimespec.tv_sec
            nanoseconds = facts.st_mtimespec.tv_nsec
        #else
            seconds = facts.st_mtim.tv_sec
            nanoseconds = facts.st_mtim.tv_nsec
        #endif
    }

    var isRegularFile: Bool { mode & S_IFMT == S_IFREG }

    var isReadableByOthers: Bool { mode & S_IROTH != 0 }
}
