import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

@Suite(.database)
struct HeldChunksTests {
    @Test func `chunks on hold are settled all or none`() throws {
        let database = try TestDatabase.current()
        // Two chunks whose answers were lost, as the daemon leaves them, and one that waits.
        try database.shell.rows(
            """
            INSERT INTO command_jobs (command, instance_ids, on_unknown) VALUES ('ls', '["a","b","c"]', 'hold');
            \(Stages.plan(job: 1, chunks: ["a"], ["b"], ["c"]))
            \(Stages.claim(1)) \(Stages.lose(1))
            \(Stages.claim(2)) \(Stages.lose(2))
            """
        )
        let client = try DatabaseClient(path: database.path, access: .writing)
        let job = CommandJobID(rawValue: 1)
        let chunks = (1...3).map(ChunkID.init)
        #expect(try client.heldChunks(of: job) == Array(chunks[..<2]))
        #expect(throws: StoreError.noJob(id: 9)) { try client.heldChunks(of: CommandJobID(rawValue: 9)) }
        #expect(throws: StoreError.refused(reason: "chunk 3 is not on hold: it is pending")) {
            try client.settle(chunks, as: .failed)
        }
        #expect(try client.heldChunks(of: job) == Array(chunks[..<2]), "none is settled")
        #expect(throws: StoreError.refused(reason: "there is no chunk 9")) {
            try client.settle([ChunkID(rawValue: 9)], as: .pending)
        }
        #expect(try client.settle([chunks[0]], as: .pending) == 1)
        #expect(try client.settle([chunks[1]], as: .failed) == 1)
        #expect(
            try database.shell.rows("SELECT id, state FROM chunks") == [
                ["1", "pending"], ["2", "failed"], ["3", "pending"],
            ]
        )
        #expect(try client.waits(of: job, limit: nil).allSatisfy { $0.blocker != "hold" })
    }
}
