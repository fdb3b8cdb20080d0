import Foundation
import GRDB
import TestSupport
import Testing

@testable import KoobatchStore

/// A log that readers keep from being used again.
@Suite("The write-ahead log", .database)
struct WriteAheadLogTests {
    /// A stock shell in a transaction that has read.
    private final class OpenReader {
        private let shell: Command
        private let input = Pipe.notInherited()
        private let output = Pipe.notInherited()

        init(database: String) throws {
            shell = try Command(
                ["sqlite3", "-batch", database],
                input: input.fileHandleForReading.fileDescriptor,
                output: output.fileHandleForWriting.fileDescriptor
            )
            try input.fileHandleForWriting.write(contentsOf: Data("BEGIN; SELECT count(*) FROM command_jobs;\n".utf8))
            let answer = try output.fileHandleForReading.read(upToCount: 2)
            try #require(answer == Data("0\n".utf8))
        }

        func end() throws {
            try input.fileHandleForWriting.close()
            #expect(shell.wait() == 0)
        }
    }

    private let database: TestDatabase
    private let store: Store

    init() throws {
        database = try TestDatabase.current()
        store = try database.store()
    }

    private func grow() async throws {
        let text = String(repeating: "x", count: 1_000_000)
        for _ in 0..<18 { try await store.heartbeat(requestsPerSecond: nil, exposition: text, at: .start) }
    }

    /// Empties it once those who have just opened the database have had their time.
    private func empty() async throws -> WriteAheadLog {
        while store.pacer.isOpening { try await store.pacer.wait(since: .now) }
        return try await store.emptyLog()
    }

    private func fileSize() throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: database.path + "-wal")[.size] as? Int)
    }

    @Test("is emptied beside readers that overlap, once nothing is committed for as long as one of them lasts")
    func overlapping() async throws {
        let first = try OpenReader(database: database.path)
        try await grow()
        #expect(try await empty().isLarge)
        let second = try OpenReader(database: database.path)
        try first.end()
        // Written back, but the second one reads it.
        #expect(try await empty().isLarge)
        #expect(try fileSize() >= 16_000_000)
        let third = try OpenReader(database: database.path)
        try second.end()
        #expect(try await empty() == WriteAheadLog(bytes: 0))
        #expect(try fileSize() == 0)
        try third.end()
        #expect(try database.shell.value("PRAGMA integrity_check;") == "ok")
    }

    @Test("keeps no lock after an attempt")
    func after() async throws {
        let reader = try OpenReader(database: database.path)
        try await grow()
        #expect(try await empty().isLarge)
        // The shell has no busy timeout.
        try database.shell.rows("INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '[\"a\"]');")
        try reader.end()
        #expect(try await empty() == WriteAheadLog(bytes: 0))
    }
}
