import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import KoobatchStore

@Suite("The durable log")
struct DurableLogTests {
    private struct Broken: Error {}

    private final class Syncs: Sendable {
        private let state = Mutex(0)

        var count: Int { state.withLock { $0 } }

        /// The number of this one.
        func began() -> Int {
            state.withLock { count in
                count += 1
                return count
            }
        }
    }

    private static func log(
        in folder: TemporaryDirectory,
        sync: @escaping @Sendable (Int32) throws -> Void
    ) throws -> DurableLog {
        let path = folder.path("koobatch.db")
        try Store.migrate(path: path)
        _ = FileManager.default.createFile(atPath: path + "-wal", contents: nil)
        return try DurableLog(database: path, sync: sync)
    }

    @Test("is not trusted again after a sync has failed")
    func failure() async throws {
        let folder = try TemporaryDirectory()
        let syncs = Syncs()
        let log = try Self.log(in: folder) { _ in if syncs.began() == 1 { throw Broken() } }
        for _ in 0..<2 {
            let commit = log.committed()
            await #expect(throws: Broken.self) { try await log.sync(commit) }
        }
        #expect(syncs.count == 1)
    }

    @Test("needs one sync for all commits that come during another, and none for what is durable already")
    func sharing() async throws {
        let folder = try TemporaryDirectory()
        let syncs = Syncs()
        let end = DispatchSemaphore(value: 0)
        let (began, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
        let log = try Self.log(in: folder) { _ in
            guard syncs.began() == 1 else { return }
            continuation.yield()
            end.wait()
        }
        let first = log.committed()
        async let durable: Void = log.sync(first)
        for await _ in began { break }
        let later = (0..<8).map { _ in log.committed() }
        try await withThrowingTaskGroup { group in
            for commit in later { group.addTask { try await log.sync(commit) } }
            end.signal()
            try await group.waitForAll()
        }
        try await durable
        try await log.sync(first)
        #expect(syncs.count == 2)
    }
}
