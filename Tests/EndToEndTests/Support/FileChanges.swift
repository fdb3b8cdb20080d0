import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Blocks until files are written, so that a test waits for what happens instead of for a time.
final class FileChanges {
    private let descriptor: Int32

    /// What a test waited for did not come.
    struct Late: Error, CustomStringConvertible {
        let description: String
    }

    init(_ paths: String...) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        for path in paths { inotify_add_watch(descriptor, path, UInt32(IN_MODIFY)) }
    }

    /// With the files beside a database, which come and go.
    convenience init(database: String) {
        self.init(URL(fileURLWithPath: database).deletingLastPathComponent().path)
    }

    deinit {
        close(descriptor)
    }

    /// Blocks until something is so, looking each time the files are written.
    ///
    /// - Parameter complaint: what is said when it is not so within the limit.
    func wait(
        within limit: Duration,
        else complaint: @autoclosure () throws -> String,
        until isSo: () throws -> Bool
    ) throws {
        let deadline = ContinuousClock.now + limit
        while try !isSo() {
            if ContinuousClock.now >= deadline { throw Late(description: try complaint()) }
            wait()
        }
    }

    /// Returns after writes, or after a fifth of a second without one, and says whether there was one.
    ///
    /// Writes that follow each other within 20 ms are waited for, a fifth of a second at most: what looks at the files after
    /// each would take more time than what writes them.
    @discardableResult
    func wait() -> Bool {
        let end = ContinuousClock.now + .milliseconds(200)
        let isWritten = waitForOne(200)
        while isWritten, ContinuousClock.now < end, waitForOne(20) {}
        return isWritten
    }

    private func waitForOne(_ milliseconds: Int32) -> Bool {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, milliseconds) > 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while read(descriptor, &buffer, buffer.count) > 0 {}
        return true
    }
}
