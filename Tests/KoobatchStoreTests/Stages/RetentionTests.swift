import Foundation
import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

@Suite("Retention", .database)
struct RetentionTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue
    private let path: String

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
        path = database.path
    }

    /// A later time than that at which anything here finishes.
    private var later: Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1_000)) + .seconds(60)
    }

    private mutating func finishedJob(_ instances: Int, prefix: String = "i") async throws -> CommandJobID {
        let job = try await user.insertJob((0..<instances).map { "\(prefix)\($0)" })
        try await driver.submitAll()
        try await driver.pollAll(user)
        return job
    }

    private func rows() async throws -> [Int] {
        let tables = ["command_jobs", "job_progress", "chunks", "chunk_instances", "attempts"]
        return try await user.row("SELECT \(tables.map { "(SELECT count(*) FROM \($0))" }.joined(separator: ", "))")
            .map { $0.flatMap(Int.init) ?? -1 }
    }

    @Test("deletes a job in transactions of a bounded number of rows, its own row last, and nothing of another")
    mutating func slices() async throws {
        let old = try await finishedJob(5_000)
        let unfinished = try await user.insertJob(["a"])
        let before = try await rows()
        var deletions: [Deletion] = []
        var sizes = [before]
        while let deletion = try await driver.store.deleteFinished(before: later) {
            deletions.append(deletion)
            sizes.append(try await rows())
        }
        let deleted = zip(sizes, sizes.dropFirst()).map { earlier, now in
            zip(earlier, now).map { $0 - $1 }.reduce(0, +)
        }
        #expect(deleted.allSatisfy { (1...102).contains($0) }, "\(deleted)")
        #expect(deletions.dropLast().allSatisfy { !$0.isComplete && $0.job == old })
        #expect(deletions.last.map { [$0.instances, $0.isComplete ? 1 : 0] } == [5_000, 1])
        #expect(sizes.dropLast().allSatisfy { $0[0] == 2 && $0[1] == 2 })
        #expect(try await rows() == [1, 1, 0, 0, 0])
        #expect(try await user.row("SELECT id FROM command_jobs") == ["\(unfinished.rawValue)"])
    }

    @Test("goes by finished_at, and writes nothing where nothing is past it")
    mutating func cutoff() async throws {
        let job = try await finishedJob(3)
        let finished = try #require(
            try await user.row("SELECT finished_at FROM command_jobs").first?.flatMap(Timestamp.init)
        )
        let changes = try await user.row("PRAGMA data_version")
        #expect(try await driver.store.deleteFinished(before: finished) == nil)
        #expect(try await driver.store.deleteFinished(before: nil) == nil)
        #expect(try await user.row("PRAGMA data_version") == changes)
        let deletion = try await driver.store.deleteFinished(before: finished + .milliseconds(1))
        #expect(deletion?.job == job)
    }

    @Test("keeps a job that is half deleted from running again, and finishes it whatever the retention is then")
    mutating func halfDeleted() async throws {
        let job = try await user.insertJob((0..<2_000).map { "i\($0)" })
        try await driver.submitAll()
        try await driver.pollAll(user) { $0.hasSuffix("7") ? false : true }
        #expect(try await driver.store.deleteFinished(before: later)?.isComplete == false)
        let error = await #expect(throws: DatabaseError.self) {
            try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = ?", [job])
        }
        #expect(
            error?.message == "state: this job is past retention.finished_jobs and is being deleted; insert it again"
        )
        #expect(try await user.row("SELECT state, total FROM job_status") == ["partial", "2000"])
        while try await driver.store.deleteFinished(before: nil) != nil {}
        #expect(try await rows() == [0, 0, 0, 0, 0])
    }

    @Test("lets a user delete a job that is half deleted")
    mutating func userDeletes() async throws {
        let job = try await finishedJob(2_000)
        _ = try await driver.store.deleteFinished(before: later)
        try await user.user("DELETE FROM command_jobs WHERE id = ?", [job])
        #expect(try await driver.store.deleteFinished(before: later) == nil)
        #expect(try await rows() == [0, 0, 0, 0, 0])
    }

    @Test("deletes split chunks, jobs cancelled before planning and chunks with many attempts")
    mutating func allKinds() async throws {
        let shell = try TestDatabase.current().shell
        try shell.rows(Stages.statements)
        try shell.rows(
            """
            \(Stages.claim(1)) \(Stages.split(1, job: 2, into: ["i0"], ["i1"]))
            UPDATE command_jobs SET state = 'cancelled' WHERE id IN (1, 2, 5);
            """
        )
        let finished = try await user.row("SELECT count(*) FROM command_jobs WHERE finished_at IS NOT NULL")
        var deleted = 0
        while let deletion = try await driver.store.deleteFinished(before: later) {
            deleted += deletion.isComplete ? 1 : 0
        }
        #expect(finished == ["\(deleted)"])
        #expect(try await user.rows("PRAGMA foreign_key_check").isEmpty)
    }

    @Test("uses the space again: a second job of the size of a deleted one does not make the file grow")
    mutating func space() async throws {
        // The first ones have shorter ids of attempts, and so of tasks and jobs.
        var pages: [[String?]] = []
        for prefix in ["h", "i", "j", "k"] {
            _ = try await finishedJob(2_000, prefix: prefix)
            pages.append(try await user.row("PRAGMA page_count"))
            while try await driver.store.deleteFinished(before: later) != nil {}
        }
        #expect(pages[3] == pages[2])
    }

    @Test("prune deletes the same from beside the daemon, says how much, and tells beforehand what it would delete")
    mutating func prune() async throws {
        for _ in 0..<3 { _ = try await finishedJob(700) }
        _ = try await user.insertJob(["a"])
        let connection = try DatabaseClient(path: path, access: .maintaining)
        let would = try connection.prunable(finishedBefore: later)
        #expect(would.jobs == 3 && would.instances == 2_100)
        #expect(try connection.prunable(finishedBefore: .start).jobs == 0)
        #expect(try await rows()[0] == 4)
        #expect(try await connection.prune(finishedBefore: later) == would)
        #expect(try await rows() == [1, 1, 0, 0, 0])
    }

    @Test("never checkpoints from beside the daemon")
    mutating func noCheckpoint() async throws {
        _ = try await finishedJob(20_000)
        let connection = try DatabaseClient(path: path, access: .maintaining)
        let before = try Self.changed(path)
        _ = try await connection.prune(finishedBefore: later)
        #expect(try Self.size(path + "-wal") > 400 * 4_096)
        #expect(try Self.changed(path) == before)
    }

    @Test("the log that a long reader made grow is cut down by heartbeats once the reader is gone")
    mutating func longReader() async throws {
        let reader = try TestDatabase.current().observer()
        try await reader.user("BEGIN")
        _ = try await reader.row("SELECT count(*) FROM command_jobs")
        _ = try await finishedJob(30_000)
        #expect(try Self.size(path + "-wal") > 8_000_000)
        try await reader.user("COMMIT")
        for second in 1...2 {
            try await driver.store.heartbeat(requestsPerSecond: nil, at: driver.now + .seconds(second * 10))
        }
        #expect(try Self.size(path + "-wal") <= 4_194_304)
    }

    /// When a file was last written to: for the database, when it was last checkpointed.
    private static func changed(_ path: String) throws -> Date? {
        try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }

    private static func size(_ path: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? -1
    }
}
