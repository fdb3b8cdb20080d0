import Foundation
import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("Answers that the database does not take", .timeLimit(.minutes(1)))
struct AnswerKeeperTests {
    /// A bed with a request that is accepted, and its answer.
    private static func accepted() async throws -> (EngineBed, AttemptResult) {
        let bed = try await EngineBed()
        try await bed.insert(1)
        var driver = try SubmissionDriver(bed)
        try await driver.step()
        return (bed, try #require(bed.queues.submitter.waiting.first))
    }

    @Test("are said at the next start to be taken in, to be kept back, or to be none of this database")
    func intake() async throws {
        let (bed, answer) = try await Self.accepted()
        try await bed.store.spool.append([answer])
        try Data("no answer\n".utf8).append(to: bed.store.spool.path)
        try await bed.rename("chunk_instances", to: "instances_of_chunks")
        // The rows of its chunk cannot be written: what is in the spool stays there.
        try await bed.run("CREATE TABLE chunk_instances AS SELECT chunk_id, instance_ids FROM instances_of_chunks")
        let next = try await bed.makeEngine()
        let intake = try await next.begin(pid: 1, version: "next").intake
        #expect(intake.kept.count == 1 && intake.rejected.count == 1 && intake.recorded.isEmpty)
        #expect(bed.said("cannot be recorded: rows or rules were changed by hand; it is tried again") == 1)
        #expect(bed.said("cannot be taken in; its line is kept for the operator") == 1)
        #expect(next.queues.submitter.waiting.count == 1, "the submitter tries again")

        try await bed.run("DROP TABLE chunk_instances")
        try await bed.rename("instances_of_chunks", to: "chunk_instances")
        let last = try await bed.makeEngine()
        let taken = try await last.begin(pid: 1, version: "last").intake
        #expect(taken.recorded.count == 1 && bed.said("An answer of an earlier daemon is recorded") == 1)
        #expect(try bed.store.spool.lines().isEmpty)
    }

    @Test("are spooled once each, and a file that cannot be removed afterwards is said and forgotten")
    func stays() async throws {
        let (bed, answer) = try await Self.accepted()
        let losses = AnswerKeeper.Losses()
        var keeper = AnswerKeeper(spool: bed.store.spool, spooled: [], losses: losses, logger: bed.log.logger)
        await keeper.recorded()
        #expect(!keeper.keepsAny)
        for _ in 0..<2 { await keeper.keep([answer]) }
        #expect(try bed.store.spool.lines().count == 1 && keeper.keepsAny)
        // A folder in its place cannot be removed as a file is.
        try FileSystemFolder.remove(bed.store.spool.path)
        try FileSystemFolder.create(bed.store.spool.path)
        await keeper.recorded()
        #expect(bed.said("The file of kept answers stays") == 1 && !keeper.keepsAny)
        try losses.require()
    }

    @Test("are given up at once when the daemon is to have ended, however long somebody keeps the lock")
    func end() async throws {
        let bed = try await EngineBed(busyTimeout: .seconds(3_600))
        try await bed.lock()
        bed.engine.end(by: .now)
        await #expect(throws: (any Error).self) { try await bed.engine.end() }
        try await bed.unlock()
    }
}

extension Data {
    fileprivate func append(to path: String) throws {
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seekToEnd()
        try file.write(contentsOf: self)
        try file.close()
    }
}
