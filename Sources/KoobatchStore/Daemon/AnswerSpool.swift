import Dispatch
import Foundation

/// A file beside the database with answers that the database does not take: one line of JSON each, see `SpooledAnswer`.
///
/// A line is on the disk when `append` returns, and stays until the file is removed. `Store.takeIn` records what is in it;
/// a line is good for the very attempt that it names, so that lines may be left behind or taken in twice.
public struct AnswerSpool: Sendable {
    /// Where it is.
    public let path: String
    private let queue = DispatchQueue(label: "koobatch.spool")

    /// The spool of a database.
    public init(database path: String) {
        self.path = path + ".spool"
    }

    /// Where lines are kept that cannot be taken in.
    public var rejectedPath: String { path + ".rejected" }

    /// Adds answers, which are on the disk when it returns; all of them or none.
    ///
    /// - Throws: why the file cannot be written, a sentence.
    public func append(_ answers: [AttemptResult]) async throws {
        let lines = answers.map { SpooledAnswer($0).line }
        try await onQueue { try Self.append(lines, to: path) }
    }

    /// Keeps lines that cannot be taken in, on the disk.
    func reject(_ lines: [String]) async throws {
        try await onQueue { try Self.append(lines, to: rejectedPath) }
    }

    /// Removes the file: what is in it is recorded.
    public func remove() async throws {
        try await onQueue {
            guard unlink(path) == 0 || errno == ENOENT else { throw FileSystem.Failure("remove", path) }
            try FileSystem.syncDirectory(of: path)
        }
    }

    /// The lines of the file, the last one also where it is cut; none where there is no file.
    public func lines() throws -> [String] { try Self.lines(of: path) }

    /// The lines that were rejected.
    public func rejectedLines() throws -> [String] { try Self.lines(of: rejectedPath) }

    private func onQueue(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: body)) }
        }
    }

    private static func append(_ lines: [String], to path: String) throws {
        let descriptor = try open(path, O_RDWR | O_APPEND | O_CREAT)
        defer { close(descriptor) }
        let size = try size(of: descriptor, path)
        if size == 0 {
            // Whatever the umask, for those who share the directory.
            fchmod(descriptor, 0o660)
            FileSystem.giveToOwnerOfDirectory(descriptor, path)
        }
        // A line that was cut by the end of a disk does not spoil the next one.
        var last = UInt8(ascii: "\n")
        if size > 0, pread(descriptor, &last, 1, size - 1) != 1 { throw FileSystem.Failure("read", path) }
        let text = (last == UInt8(ascii: "\n") ? "" : "\n") + lines.map { $0 + "\n" }.joined()
        do {
            try write(text, to: descriptor, path)
            guard fsync(descriptor) == 0 else { throw FileSystem.Failure("write to the disk", path) }
            try FileSystem.syncDirectory(of: path)
        } catch {
            // What a full disk has taken of it; a line that stays all the same is harmless.
            ftruncate(descriptor, size)
            throw error
        }
    }

    private static func write(_ text: String, to descriptor: Int32, _ path: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno != EINTR { throw FileSystem.Failure("write", path) }
            rest = rest.dropFirst(max(0, written))
        }
    }

    private static func lines(of path: String) throws -> [String] {
        guard FileSystem.exists(path) else { return [] }
        let descriptor = try open(path, O_RDONLY)
        defer { close(descriptor) }
        _ = try size(of: descriptor, path)
        let data = try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).readToEnd() ?? Data()
        return data.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Never follows a link and never waits for the other end of a pipe: a group can share the directory.
    private static func open(_ path: String, _ flags: Int32) throws -> Int32 {
        let descriptor = Foundation.open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o660)
        guard descriptor >= 0 else {
            throw errno == ELOOP ? NotRegular(path: path) : FileSystem.Failure("open", path) as any Error
        }
        return descriptor
    }

    private static func size(of descriptor: Int32, _ path: String) throws -> off_t {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw FileSystem.Failure("look at", path) }
        guard facts.st_mode & S_IFMT == S_IFREG, facts.st_nlink == 1 else { throw NotRegular(path: path) }
        return facts.st_size
    }

    /// Something else lies where the file is to be.
    struct NotRegular: Error, CustomStringConvertible {
        let path: String

        var description: String {
            "\(path) is not a regular file with one name, so it is neither read nor written; move it away"
        }
    }
}
