import Foundation

/// A file that others find whole or not at all.
enum AtomicFile {
    /// Why it could not be written, and what to do.
    struct CannotWrite: Error, CustomStringConvertible {
        let path: String
        let reason: String

        var description: String { "cannot write \(path): \(reason)" }
    }

    /// Writes beside the file and renames it to that, replacing what is there.
    ///
    /// What is no regular file, such as a pipe or
    /// `/dev/stdout`, is written to as it is.
    ///
    /// - Parameter mode: of the file, whatever the umask; `nil` leaves it to the umask.
    static func write(_ text: String, to path: String, mode: mode_t? = nil) throws {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            if status.st_mode & S_IFMT == S_IFDIR { throw CannotWrite(path: path, reason: "it is a directory") }
            return try write(text, path: path, to: path, flags: O_WRONLY, mode: nil)
        }
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        // A name of this process's own; node_exporter reads what ends in .prom only.
        let temporary = "\(target).\(getpid()).tmp"
        do {
            unlink(temporary)
            try write(text, path: path, to: temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: mode)
            guard rename(temporary, target) == 0 else { throw failure(path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func write(_ text: String, path: String, to file: String, flags: Int32, mode: mode_t?) throws {
        let descriptor = open(file, flags | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        if let mode, fchmod(descriptor, mode) != 0 { throw failure(path) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno != EINTR { throw failure(path) }
            rest = rest.dropFirst(max(0, written))
        }
    }

    private static func failure(_ path: String) -> CannotWrite {
        CannotWrite(path: path, reason: String(cString: strerror(errno)))
    }
}
