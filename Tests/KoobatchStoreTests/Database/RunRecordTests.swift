import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchStore

@Suite("The record of a run", .database)
struct RunRecordTests {
    private let path: String

    init() throws {
        path = try TestDatabase.current().path
    }

    @Test("is read as it was written, and is always of one length")
    func text() {
        for record in [
            RunRecord(), RunRecord(heartbeat: .start, attempt: .max, database: .max, log: 7),
        ] {
            #expect(RunRecord(record.description) == record)
            #expect(record.description.count == RunRecord().description.count)
        }
        for text in ["", "pid 7", "2026-01-01T00:00:00.000Z 1 2", "2026-01-01T00:00:00.000Z 1 2 -3"] {
            #expect(RunRecord(text) == nil)
        }
    }

    @Test("survives the owner, and the next one's name does not change it")
    func kept() throws {
        let record = RunRecord(heartbeat: .start, attempt: 7, database: 8, log: 9)
        do {
            let lock = try OwnerLock(database: path, owner: "a daemon with a name that is long")
            #expect(lock.lastRun == nil)
            lock.note { $0 = record }
        }
        #expect(try OwnerLock(database: path, owner: "pid 1").lastRun == record)
        let lock = try OwnerLock(database: path, owner: "pid 2")
        #expect(lock.lastRun == record)
        #expect(throws: StoreError.owned(path: path, owner: "pid 2")) { _ = try OwnerLock(database: path, owner: "x") }
    }

    private func begin(at now: Timestamp, noting change: (inout RunRecord) -> Void = { _ in }) async throws
        -> Store.Beginning
    {
        let lock = try OwnerLock(database: path, owner: "pid 1")
        let store = try Store(path: path, lock: lock)
        let beginning = try await store.begin(
            pid: 1,
            version: "1",
            rules: StoreDriver.rules,
            trusted: now,
            at: now,
            generator: SeededGenerator(seed: 1)
        )
        lock.note(change)
        return beginning
    }

    @Test("tells an older state of the database from the one that was last worked on")
    func comparison() async throws {
        let now = Timestamp.start
        #expect(try await begin(at: now).restoration == nil, "no daemon ever ran")
        // As when the process was killed after its commit, before its note.
        #expect(try await begin(at: now + .seconds(1), noting: { $0.heartbeat = now }).restoration == nil)
        // As when the clock was set back.
        #expect(try await begin(at: now + .seconds(-3_600)).restoration == nil)
        #expect(try await begin(at: now, noting: { $0.attempt = 1 }).restoration == nil)
        #expect(try await begin(at: now, noting: { $0.heartbeat = now + .seconds(10) }).restoration != nil)
        #expect(try await begin(at: now, noting: { $0.database += 1 }).restoration != nil)
        #expect(try await begin(at: now).restoration != nil)
        #expect(try await begin(at: now).restoration == nil)
    }

    @Test("a daemon without a lock file notices before it claims")
    func lockLost() async throws {
        let lock = try OwnerLock(database: path, owner: "pid 1")
        let store = try Store(path: path, lock: lock)
        #expect(store.isSoleOwner)
        try FileSystem.rename(path + ".lock", to: path + ".gone")
        #expect(!store.isSoleOwner)
        let expected = StoreError.lockLost(path: path + ".lock")
        await #expect(throws: expected) { try await store.heartbeat(requestsPerSecond: nil, at: .start) }
        await #expect(throws: expected) { _ = try await store.foreignChangeCounter() }
        lock.note { $0.attempt = 5 }
        lock.leaveRecord()
        #expect(try OwnerLock(database: path, owner: "pid 2").lastRun?.attempt == 5)
    }
}
