import Foundation
import GRDB
import GRDBSQLite
import TestSupport
import Testing

@testable import KoobatchStore

@Suite("The content of the database file", .database)
struct DatabaseContentTests {
    @Test("is noticed to be another one that is put there right after a checkpoint")
    func afterCheckpoint() async throws {
        let database = try TestDatabase.current()
        let store = try database.store()
        _ = try await store.foreignChangeCounter()
        try await store.write { db in
            try db.execute(sql: "INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"a\"]')")
        }
        try await store.checkpoint()
        let copy = database.file("copy.db")
        try FileManager.default.copyItem(atPath: database.path, toPath: copy)
        try SQLiteShell(database: copy)
            .run("INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"b\"]'); PRAGMA wal_checkpoint;")
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: copy.replacing("copy.db", with: "koobatch.db")))
        try file.write(contentsOf: Data(contentsOf: URL(fileURLWithPath: copy)))
        try file.close()
        await #expect {
            try await store.foreignChangeCounter()
        } throws: { error in
            if case .replaced = error as? StoreError { true } else { false }
        }
    }

    @Test("is noticed to be another one when it is overwritten in the midst of a transaction")
    func inTransaction() async throws {
        let database = try TestDatabase.current()
        let store = try database.store()
        try await store.checkpoint()
        await #expect {
            try await store.write { db in
                try Data("not a database".utf8).write(to: URL(fileURLWithPath: database.path), options: [])
                // Read from the file, not from memory.
                sqlite3_db_release_memory(db.sqliteConnection)
                try db.execute(sql: "UPDATE error_policies SET action = 'retry'")
            }
        } throws: { error in
            if case .replaced = error as? StoreError { true } else { false }
        }
    }
}
