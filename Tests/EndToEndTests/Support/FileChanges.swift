import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Blocks until files are written, so that a test waits for what happens instead of for a time.
final class FileChanges {
    private let descriptor: Int32

    init(_ paths: String...) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        for path in paths { inotify_add_watch(descriptor, path, UInt32(IN_MODIFY)) }
    }

    convenience init(database: String) {
        self.init(database + "-wal", database)
    }

    deinit {
        close(descriptor)
    }

    /// Returns after a write, or after a fifth of a second without one, and says whether there was one.
    @discardableResult
    func wait() -> Bool {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let isWritten = poll(&event, 1, 200) > 0
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while read(descriptor, &buffer, buffer.count) > 0 {}
        return isWritten
    }
}
