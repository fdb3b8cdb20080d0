import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

@Suite("Transactions", .database)
struct TransactionTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    @Test("record a received answer even when the calling task is cancelled")
    mutating func cancellation() async throws {
        _ = try await user.insertJob(["a", "b"])
        let answer = driver.accepted(try await driver.claim()[0])
        let driver = driver
        let turn = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            #expect(Task.isCancelled)
            return try await driver.store.submissionBatch(
                answers: [Classified(answer, policies: ErrorPolicies([:]))],
                places: 0,
                chunkSize: 32,
                rules: driver.rules,
                at: driver.now,
                generator: SeededGenerator(seed: 1)
            )
        }
        #expect(try await turn.value.decisions == [.decided(.accept)])
        #expect(try await user.row("SELECT count(DISTINCT task_id), count(job_id) FROM task_map") == ["1", "2"])
    }

    @Test("show another connection the task and all its rows together, or none of them")
    mutating func atomic() async throws {
        _ = try await user.insertJob((0..<3_200).map { "i\($0)" })
        let claims = try await driver.claim()
        let (writer, reader) = (driver, user)
        let answers = claims.map { writer.accepted($0) }
        try await withThrowingTaskGroup { group in
            group.addTask {
                for answer in answers {
                    _ = try await writer.store.submissionBatch(
                        answers: [Classified(answer, policies: ErrorPolicies([:]))],
                        places: 0,
                        chunkSize: 32,
                        rules: writer.rules,
                        at: writer.now,
                        generator: SeededGenerator(seed: 1)
                    )
                }
            }
            group.addTask {
                var seen = 0
                while seen < answers.count {
                    let halves = try await reader.rows(
                        """
                        SELECT c.id
                          FROM chunks AS c
                         WHERE (c.task_id IS NOT NULL) * 32
                               <> (SELECT count(*) FROM task_map WHERE chunk_id = c.id)
                            OR (c.task_id IS NOT NULL)
                               <> (SELECT count(*) FROM attempts WHERE chunk_id = c.id AND outcome = 'accepted')
                        """
                    )
                    try #require(halves.isEmpty)
                    let row = try await reader.row("SELECT count(task_id) FROM chunks")
                    seen = row.first.flatMap(\.self).flatMap(Int.init) ?? 0
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("throw after the busy timeout while another connection writes, change nothing, and work again afterwards")
    mutating func busy() async throws {
        _ = try await user.insertJob(["a"])
        let store = try TestDatabase.current().store(busyTimeout: .milliseconds(50))
        var impatient = StoreDriver(store)
        let answer = impatient.accepted(try await impatient.claim()[0])
        try await user.user("BEGIN IMMEDIATE")
        let (rules, now) = (impatient.rules, impatient.now)
        let error = await #expect(throws: DatabaseError.self) {
            _ = try await store.submissionBatch(
                answers: [Classified(answer, policies: ErrorPolicies([:]))],
                places: 1,
                chunkSize: 32,
                rules: rules,
                at: now,
                generator: SeededGenerator(seed: 1)
            )
        }
        #expect(error?.resultCode == .SQLITE_BUSY)
        try await user.user("ROLLBACK")
        #expect(try await user.row("SELECT state FROM chunks") == ["submitting"])
        #expect(try await impatient.record(answer) == [.accept])
    }

    @Test("leave the shell room to write without waiting")
    mutating func shell() async throws {
        _ = try await user.insertJob((0..<3_200).map { "i\($0)" })
        let shell = try TestDatabase.current().shell
        #expect(try shell.rows("UPDATE command_jobs SET priority = 2 RETURNING id;") == [["1"]])
    }

    @Test("change the counter of foreign changes for commits of others alone")
    func foreignChanges() async throws {
        let first = try await driver.store.foreignChangeCounter()
        try await driver.store.heartbeat(requestsPerSecond: nil, at: driver.now)
        #expect(try await driver.store.foreignChangeCounter() == first)
        _ = try await user.insertJob(["a"])
        #expect(try await driver.store.foreignChangeCounter() != first)
    }

    @Test("keep the daemon's row")
    func daemon() async throws {
        let store = driver.store
        try await store.daemonStarted(pid: 7, version: "1.2.3", at: .start)
        try await store.heartbeat(requestsPerSecond: nil, at: .start + .seconds(10))
        var line = CircuitBreaker(base: .seconds(1), maximum: .seconds(60))
        line.trip(.credentials, asked: nil, at: .start)
        let failure = ServiceFailure(.unauthenticated, httpStatus: 401, errorCode: "APIGW.0301", message: "no")
        try await store.circuitChanged(to: line, requestsPerSecond: 20, failure: failure, at: .start)
        let columns = "pid, version, heartbeat_at, credentials, circuit, paused_until, last_error, stopped_at IS NULL"
        let closed = try await user.row("SELECT \(columns) FROM daemon")
        #expect(
            closed == [
                "7", "1.2.3", "\(Timestamp.start + .seconds(10))", "refused", "closed",
                "\(Timestamp.start + .seconds(1))", "APIGW.0301 no", "1",
            ]
        )
        line.started(1)
        line.passed()
        try await store.circuitChanged(to: line, requestsPerSecond: nil, failure: nil, at: .start)
        try await store.daemonStopped(at: .start + .seconds(20))
        let open = try await user.row("SELECT \(columns) FROM daemon")
        #expect(
            open == [
                "7", "1.2.3", "\(Timestamp.start + .seconds(20))", "accepted", "closed", nil, "APIGW.0301 no", "0",
            ]
        )
    }

    @Test(
        "remember for the next daemon why the line was closed, as far as that outlasts a restart",
        arguments: [
            (.credentials, "refused closed", .credentials), (.endpoint, "unknown open", .endpoint),
            (.refusal, "unknown open", .endpoint), (.throttled, "unknown closed", nil),
        ] as [(CircuitBreaker.Reason, String, CircuitBreaker.Reason?)]
    )
    func gateMemory(_ reason: CircuitBreaker.Reason, _ shown: String, _ remembered: CircuitBreaker.Reason?) async throws
    {
        let store = driver.store
        var line = CircuitBreaker(base: .seconds(1), maximum: .seconds(60))
        line.trip(reason, asked: nil, at: .start)
        try await store.circuitChanged(to: line, requestsPerSecond: 19.5, failure: nil, at: .start)
        #expect(try await user.row("SELECT credentials || ' ' || circuit FROM daemon") == [shown])
        try await store.daemonStarted(pid: 8, version: "1.2.3", at: .start)
        let memory = try await store.gateMemory()
        #expect(memory.openFor == remembered)
        #expect(memory.requestsPerSecond == 19.5)
    }

    @Test("show a probe of a failing endpoint as a half-open circuit")
    func probing() async throws {
        var line = CircuitBreaker(base: .seconds(1), maximum: .seconds(60), openFor: .endpoint, at: .start)
        line.started(1)
        try await driver.store.circuitChanged(to: line, requestsPerSecond: nil, failure: nil, at: .start)
        #expect(try await user.row("SELECT circuit FROM daemon") == ["half-open"])
    }
}
