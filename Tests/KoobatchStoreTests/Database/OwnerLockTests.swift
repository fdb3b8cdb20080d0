import KoobatchStore
import TestSupport
import Testing

@Suite("Owner lock", .database)
struct OwnerLockTests {
    private let path: String

    init() throws {
        path = try TestDatabase.current().path
    }

    @Test("lets one daemon work on a database, and names it to the second")
    func second() throws {
        let lock = try OwnerLock(database: path, owner: "pid 4711")
        let error = #expect(throws: StoreError.owned(path: path, owner: "pid 4711")) {
            _ = try OwnerLock(database: path, owner: "pid 4712")
        }
        #expect(error?.description == "another koobatch daemon (pid 4711) works on the database \(path); stop it first")
        _ = consume lock
    }

    @Test("is free again when the owner is gone, and then names the new one")
    func again() throws {
        do { _ = try OwnerLock(database: path, owner: "a daemon with a long name") }
        let lock = try OwnerLock(database: path, owner: "pid 2")
        #expect(throws: StoreError.owned(path: path, owner: "pid 2")) { _ = try OwnerLock(database: path, owner: "x") }
        _ = consume lock
    }

    @Test("does not disturb SQLite's own locks")
    func besideSQLite() async throws {
        let store = try Store(path: path)
        do { _ = try OwnerLock(database: path, owner: "pid 1") }
        try await store.heartbeat(requestsPerSecond: nil, at: .start)
        #expect(try TestDatabase.current().shell.value("PRAGMA integrity_check") == "ok")
    }

    @Test("says what to do when its file cannot be made")
    func noDirectory() {
        let error = #expect(throws: StoreError.self) { _ = try OwnerLock(database: "/nonexistent/k.db", owner: "x") }
        #expect(error?.description.hasPrefix("cannot lock /nonexistent/k.db.lock: ") == true)
    }
}
