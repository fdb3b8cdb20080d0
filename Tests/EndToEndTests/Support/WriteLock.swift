import Foundation
import TestSupport
import Testing

/// A `sqlite3` shell that holds the write lock of a database until it is told to end.
final class WriteLock {
    private let shell: Command
    private let input = Pipe.notInherited()
    private let output = Pipe.notInherited()

    /// Returns when the lock is held.
    init(database: String, statements: String = "BEGIN IMMEDIATE;") throws {
        shell = try Command(
            ["sqlite3", "-cmd", ".timeout 60000", database, statements, ".shell echo 1; cat"],
            input: input.fileHandleForReading.fileDescriptor,
            output: output.fileHandleForWriting.fileDescriptor
        )
        try output.fileHandleForWriting.close()
        try #require(try output.fileHandleForReading.read(upToCount: 1) == Data("1".utf8))
    }

    /// Frees the lock.
    func release() throws {
        try input.fileHandleForWriting.close()
        #expect(shell.wait() == 0)
    }
}
