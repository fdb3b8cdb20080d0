import GRDB
import Synchronization
import TestSupport
import Testing

@testable import KoobatchStore

@Suite("A transaction that takes the write lock later", .database)
struct LockTimeTests {
    private static let count = "SELECT count(*) FROM error_policies"

    private static func insert(_ code: String) -> String {
        "INSERT INTO error_policies (code, action) VALUES ('\(code)', 'retry');"
    }

    @Test("keeps no shell from writing before, and every shell after that")
    func later() async throws {
        let database = try TestDatabase.current()
        let (store, shell) = (try database.store(), database.shell)
        let runs = Mutex(0)
        let (refusal, _) = try await store.commit(taking: .later) { db in
            runs.withLock { $0 += 1 }
            #expect(try shell.run(Self.insert("before")).isEmpty)
            // Its first look: nothing that was seen has changed since.
            #expect(try Int.fetchOne(db, sql: Self.count) == Int(shell.run(Self.count)))
            try store.takeLock(db)
            try store.takeLock(db)
            return try shell.outcome(of: Self.insert("after")).errors
        }
        #expect(refusal.contains("database is locked"))
        #expect(runs.withLock { $0 } == 1)
        try shell.run(Self.insert("after"))
    }

    @Test("is run again with the lock where somebody has written since it began to read")
    func again() async throws {
        let database = try TestDatabase.current()
        let (store, shell) = (try database.store(), database.shell)
        let seen = Mutex<[Int]>([])
        _ = try await store.commit(taking: .later) { db in
            let count = try Int.fetchOne(db, sql: Self.count) ?? 0
            let isFirst = seen.withLock { seen in
                seen.append(count)
                return seen.count == 1
            }
            let outcome = try shell.outcome(of: Self.insert("run \(isFirst)"))
            #expect(outcome.errors.contains("locked") == !isFirst)
            try store.takeLock(db)
            try db.execute(sql: Self.insert("mine"))
        }
        let counts = seen.withLock { $0 }
        #expect(counts.count == 2 && counts.last == counts[0] + 1)
        #expect(
            try shell.run(
                "SELECT group_concat(code) FROM error_policies WHERE code NOT GLOB 'K*' AND code NOT GLOB 'A*'"
            ) == "mine,run true"
        )
    }
}
