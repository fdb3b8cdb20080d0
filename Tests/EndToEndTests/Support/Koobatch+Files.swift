import Foundation
import TestSupport
import Testing

/// What happens to the files of a database.
extension Koobatch {
    /// Runs a script of a user in the folder, where the database is `koobatch.db`.
    func sh(_ script: String) throws {
        let outcome = try Command.run(["sh", "-ec", "cd \"$0\"; \(script)", folder.path])
        try #require(outcome.status == 0, "\(script): \(outcome.errors)")
    }

    /// Removes the database, but not its lock file, and puts a copy in its place.
    func restore(_ copy: String) throws {
        try sh("rm koobatch.db koobatch.db-wal koobatch.db-shm; cp \(copy) koobatch.db")
    }

    /// A shell that holds the write lock until the closure ends.
    func whileLocked<Value>(_ body: (_ holder: Int32) throws -> Value) throws -> Value {
        let (input, output) = (Pipe.notInherited(), Pipe.notInherited())
        let holder = try Command(
            ["sqlite3", shell.database, "BEGIN IMMEDIATE;", ".shell echo 1; cat"],
            input: input.fileHandleForReading.fileDescriptor,
            output: output.fileHandleForWriting.fileDescriptor
        )
        #expect(try output.fileHandleForReading.read(upToCount: 1) == Data("1".utf8))
        let result = Result { try body(holder.identifier) }
        try input.fileHandleForWriting.close()
        #expect(holder.wait() == 0)
        return try result.get()
    }
}
