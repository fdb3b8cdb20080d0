import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing

@testable import KoobatchStore

/// The pacer beside real shells, with `busy_timeout` 0.
@Suite("Write lock pacer", .database)
struct WriteLockPacerTests {
    private let database: TestDatabase
    private let store: Store

    init() throws {
        database = try TestDatabase.current()
        store = try database.store()
    }

    /// A transaction that holds the lock until the pacer wants it back.
    private func hold() async throws {
        try await store.write { [pacer = store.pacer] db in
            repeat { try db.execute(sql: "UPDATE daemon_state SET last_error = NULL") } while !pacer.shouldYield
        }
    }

    /// Beside a writer that does not yield about half of the shells are locked out; beside one that does, those that come
    /// while the machine keeps the processor from it in the midst of a transaction.
    @Test("locks out a small part of the shells that a writer without it does")
    func shells() async throws {
        let without = try await refusals(yields: false)
        let with = try await refusals(yields: true)
        print("of 100 shells \(without) locked out by a writer that does not yield, \(with) by one that does")
        #expect(without > 10)
        #expect(with * 4 < without)
    }

    /// How many of a hundred shells find the database locked; all on threads that no task waits for.
    private func refusals(yields: Bool) async throws -> Int {
        let (writer, isDone) = (try BackToBackWriter(database.path, yields ? store.pacer : nil), Flag())
        async let transactions = onThread { try writer.run(until: isDone) }
        let shell = database.shell
        let refusals = try await onThread {
            defer { isDone.raise() }
            return try (0..<100).map { number in
                let row = "('ls', '[\"i\(number)\"]')"
                return try shell.outcome(of: "INSERT INTO command_jobs (command, instance_ids) VALUES \(row);").errors
            }.filter { !$0.isEmpty }
        }
        #expect(refusals.allSatisfy { $0.contains("database is locked") })
        #expect(try await transactions > 100, "the writer is to get on too")
        return refusals.count
    }

    @Test("waits while a shell has the database open, and goes on when it closes it")
    func opening() throws {
        let now = ContinuousClock.now
        let pacer = WriteLockPacer(database: database.path) { now }
        #expect(pacer.mayBegin(wantedSince: now))
        let shell = try OpenShell(database.path)
        #expect(!pacer.mayBegin(wantedSince: now))
        #expect(pacer.shouldYield)
        #expect(pacer.mayBegin(wantedSince: now - YieldPolicy.longestWait))
        try shell.close()
        #expect(pacer.mayBegin(wantedSince: now))
        #expect(!pacer.shouldYield)
    }

    @Test("takes its share only beside a shell that stays")
    func keptOpen() async throws {
        let shell = try OpenShell(database.path)
        try await store.pacer.wait(since: .now)
        #expect(!store.pacer.isOpening, "the window of the open is over")
        let begin = ContinuousClock.now
        for _ in 0..<20 { try await hold() }
        let held = YieldPolicy.sharedTarget * 19
        #expect(ContinuousClock.now - begin > (held - YieldPolicy.burst) / YieldPolicy.sharedShare)
        try shell.close()
        #expect(store.pacer.mayBegin(wantedSince: .now))
    }

    @Test("does not wait for connections of its own process")
    func own() async throws {
        let reader = try database.observer()
        try await reader.read { db in _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM command_jobs") }
        try await store.pacer.wait(since: .now)
        store.pacer.took()
        store.pacer.released()
        #expect(store.pacer.mayBegin(wantedSince: .now))
        try reader.close()
    }

    @Test("hints at what another process commits, not at what the daemon does")
    func hints() async throws {
        let before = store.changeHints()
        try await hold()
        #expect(store.pacer.mayBegin(wantedSince: .now))
        let hints = store.changeHints()
        var count = 0
        for await _ in before { count += 1 }
        #expect(count == 0)
        try database.shell.rows("INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"a\"]');")
        var iterator = hints.makeAsyncIterator()
        #expect(await iterator.next() != nil)
    }

    @Test("ends a transaction that has held the lock for long enough")
    func target() async throws {
        let begin = ContinuousClock.now
        try await hold()
        #expect(ContinuousClock.now - begin >= YieldPolicy.aloneTarget)
    }
}

/// Runs a body on a thread that no task waits for.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
    }
}

/// Something that is over once it is raised.
private final class Flag: Sendable {
    private let state = Mutex(false)

    var isRaised: Bool { state.withLock { $0 } }

    func raise() {
        state.withLock { $0 = true }
    }
}

/// Writes in one transaction after another, as the pacer lets it.
private struct BackToBackWriter: Sendable {
    private let connection: DatabaseQueue
    private let pacer: WriteLockPacer?

    /// Creates a writer; without a pacer it never yields.
    init(_ path: String, _ pacer: WriteLockPacer?) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        connection = try DatabaseQueue(path: path, configuration: configuration)
        self.pacer = pacer
    }

    /// Returns the number of transactions.
    func run(until isDone: Flag) throws -> Int {
        let never = DispatchSemaphore(value: 0)
        var count = 0
        while !isDone.isRaised {
            let wanted = ContinuousClock.now
            // Looks every millisecond, as the store does.
            while pacer?.mayBegin(wantedSince: wanted) == false { _ = never.wait(timeout: .now() + .milliseconds(1)) }
            try connection.inDatabase { db in
                try db.inTransaction(.immediate) {
                    let begin = ContinuousClock.now
                    pacer?.took()
                    repeat {
                        try db.execute(sql: "UPDATE daemon_state SET last_error = NULL")
                    } while !(pacer?.shouldYield ?? (.now - begin > YieldPolicy.aloneTarget))
                    return .commit
                }
                pacer?.released()
            }
            count += 1
        }
        return count
    }
}

/// A shell that has executed a statement and waits for the next.
private final class OpenShell {
    private let command: Command
    private let input: FileHandle

    init(_ database: String) throws {
        let (toShell, fromShell) = (Pipe.notInherited(), Pipe.notInherited())
        command = try Command(
            ["sqlite3", "-batch", database],
            input: toShell.fileHandleForReading.fileDescriptor,
            output: fromShell.fileHandleForWriting.fileDescriptor
        )
        input = toShell.fileHandleForWriting
        try toShell.fileHandleForReading.close()
        try input.write(contentsOf: Data("SELECT count(*) FROM command_jobs;\n".utf8))
        _ = try fromShell.fileHandleForReading.read(upToCount: 1)
    }

    func close() throws {
        // Not by the end of its input, which another child may have inherited.
        try input.write(contentsOf: Data(".quit\n".utf8))
        command.wait()
    }
}
