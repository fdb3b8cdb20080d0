import GRDB
import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchStore

@Suite("Reading beside the daemon", .database)
struct GaugesAndReportTests {
    /// Two jobs with every kind of end, and one that waits.
    private func work() async throws -> (database: TestDatabase, driver: StoreDriver) {
        let database = try TestDatabase.current()
        let observer = try database.observer()
        var driver = try StoreDriver(database)
        _ = try await observer.insertJob((0..<70).map { "i\($0)" })
        _ = try await observer.insertJob(["a", "b"], ["on_unknown": "'hold'"])
        driver.now = driver.now + .seconds(3)
        let claims = try await driver.claim()
        let held = try #require(claims.first { $0.job.rawValue == 2 })
        let others = claims.filter { $0.job.rawValue == 1 }
        var answers = [driver.lost(held)]
        answers.append(driver.accepted(others[0]))
        answers.append(driver.accepted(others[1], leavingOut: ["i32"]))
        answers.append(driver.refused(others[2], code: "APIGW.0201"))
        _ = try await driver.turn(answers)
        try await driver.pollAll(observer) { !$0.hasSuffix("1") }
        return (database, driver)
    }

    @Test("the gauges agree with job_status and with what waits")
    func gauges() async throws {
        let (database, _) = try await work()
        let observer = try database.observer()
        let waiting = try await observer.insertJob(["x", "y", "z"])
        _ = try await observer.insertJob(["later"], ["run_at": "'2999-01-01'"])
        // The job was inserted by the clock of the machine.
        let later = Timestamp(millisecondsSinceEpoch: 32_000_000_000_000)
        let gauges = try await DatabaseClient(path: database.path, access: .reading).gauges(at: later)
        #expect(gauges.jobs[.partial] == 1 && gauges.jobs[.running] == 1 && gauges.jobs[.queued] == 2)
        let sums = try await observer.read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT sum(pending), sum(submitted), sum(succeeded), sum(failed), sum(unknown), sum(cancelled),
                           sum(rejected)
                      FROM job_status
                    """
            ).map { row in (0..<7).map { row[$0] as Int } }
        }
        let states: [InstanceState] = [.pending, .submitted, .succeeded, .failed, .unknown, .cancelled, .rejected]
        #expect(states.map { gauges.instances[$0] ?? -1 } == sums)
        #expect(gauges.chunks == [.pending: 0, .submitting: 0, .submitted: 0, .unknown: 1])
        let inserted = try await observer.row("SELECT created_at FROM command_jobs WHERE id = \(waiting.rawValue)")
        #expect(gauges.oldestDueAt.map { "\($0)" } == inserted[0])
        try await observer.user("UPDATE command_jobs SET state = 'paused' WHERE id = \(waiting.rawValue)")
        #expect(try await DatabaseClient(path: database.path, access: .reading).gauges(at: later).oldestDueAt == nil)
    }

    @Test("the daemon's metrics are there until the next daemon starts")
    func exposition() async throws {
        let database = try TestDatabase.current()
        let store = try database.store()
        let client = try DatabaseClient(path: database.path, access: .reading)
        #expect(try await client.gauges(at: .start).daemon.exposition == nil)
        try await store.daemonStarted(pid: 1, version: "1", at: .start)
        try await store.heartbeat(requestsPerSecond: 7, exposition: "one 1\n", at: .start)
        let daemon = try await client.gauges(at: .start).daemon
        #expect(daemon.exposition == "one 1\n" && daemon.requestsPerSecond == 7 && !daemon.isRunning)
        try await store.daemonStarted(pid: 1, version: "1", at: .start + .seconds(1))
        #expect(try await client.gauges(at: .start).daemon.exposition == nil)
    }

    @Test("a report adds up to the job's counts, in time and in results")
    func report() async throws {
        let (database, driver) = try await work()
        let report = try #require(
            try await DatabaseClient(path: database.path, access: .reading).report(
                of: CommandJobID(rawValue: 1),
                at: driver.now
            )
        )
        #expect(report.job.instances[.failed] == 13 && report.job.instances[.unknown] == 1)
        let timeline = try #require(report.timeline)
        #expect(timeline.steps.reduce(0) { $0 + $1.submitted } == 64)
        var ended: [InstanceState: Int] = [:]
        for step in timeline.steps { ended.merge(step.ended) { $0 + $1 } }
        #expect(ended == report.job.instances.filter { $0.value > 0 })
        #expect(report.outputs.reduce(0) { $0 + $1.instances } == 70)
        #expect(report.outputs.map(\.instances) == report.outputs.map(\.instances).sorted(by: >))
        #expect(report.distinctOutputs == report.outputs.count)
        #expect(report.unsuccessful.count == 14)
        #expect(report.durations == [.init(seconds: 60, instances: 63)])
        #expect(
            report.requests.map { "\($0.outcome) \($0.errorCode ?? "") \($0.requests)" } == [
                "accepted  2", "refused APIGW.0201 1",
            ]
        )
        #expect(report.repeats == .init(chunks: 3, retries: 0, splits: 0, polls: 2))
    }

    @Test("a report of a job that waits is empty, of none there is none")
    func emptyReport() async throws {
        let database = try TestDatabase.current()
        let job = try await database.observer().insertJob(["a", "b"])
        let client = try DatabaseClient(path: database.path, access: .reading)
        let report = try #require(try await client.report(of: job, at: .start))
        #expect(
            report.timeline == nil && report.outputs.isEmpty && report.unsuccessful.isEmpty && report.requests.isEmpty
        )
        #expect(report.job.instances[.pending] == 2)
        #expect(try await client.report(of: CommandJobID(rawValue: 9), at: .start) == nil)
    }

    @Test("keeps the commonest of many results, and counts them all")
    func manyOutputs() async throws {
        let database = try TestDatabase.current()
        let observer = try database.observer()
        var driver = try StoreDriver(database)
        let job = try await observer.insertJob((0..<400).map { "i\($0)" })
        try await driver.submitAll()
        try await driver.pollAll(observer)
        try database.shell.rows(
            Stages.daemon(
                """
                UPDATE chunk_instances
                   SET outputs = (SELECT json_group_array('o' || ((chunk_id * 32 + key) % 97)) FROM json_each(instance_ids));
                """
            )
        )
        let report = try #require(
            try await DatabaseClient(path: database.path, access: .reading).report(of: job, at: driver.now)
        )
        let counts = try database.shell.rows("SELECT instances FROM outputs WHERE command_job_id = \(job.rawValue)")
        #expect(report.distinctOutputs == counts.count && counts.count > DatabaseClient.mostOutputs)
        #expect(report.outputs.map { "\($0.instances)" } == counts.prefix(DatabaseClient.mostOutputs).map { $0[0] })
    }

    @Test("finished jobs are told once they have ended, with their counts")
    func finished() async throws {
        let (database, _) = try await work()
        let store = try database.store()
        let finished = try await store.jobsFinished(since: .start)
        #expect(finished.map(\.id.rawValue) == [1])
        #expect(
            finished.first?.instances == [.succeeded: 56, .failed: 13, .unknown: 1]
                || finished.first?.instances[.failed] == 13
        )
        let end = try #require(finished.first?.finishedAt)
        #expect(try await store.jobsFinished(since: end + .milliseconds(1)).isEmpty)
    }

    @Test("a reader cannot write")
    func readOnly() async throws {
        let client = try DatabaseClient(path: TestDatabase.current().path, access: .reading)
        await #expect(throws: StoreError.noAccess(path: client.path, to: .write)) {
            try await client.snapshot { try $0.execute(sql: "UPDATE daemon_state SET pid = 1") }
        }
    }

    @Test("statements of a reader use indexes", arguments: ["gauges", "report"])
    func plans(of what: String) async throws {
        let (database, driver) = try await work()
        let client = try DatabaseClient(path: database.path, access: .reading)
        let seen = Collected()
        client.database.inDatabase { db in
            db.trace { event in
                if case .statement(let statement) = event { seen.insert(statement.sql) }
            }
        }
        if what == "gauges" {
            _ = try await client.gauges(at: driver.now)
        } else {
            _ = try await client.report(of: CommandJobID(rawValue: 1), at: driver.now)
        }
        let statements = seen.value.filter { $0.hasPrefix("SELECT") || $0.hasPrefix("WITH") }
        #expect(statements.count >= 3)
        let observer = try database.observer()
        for sql in statements {
            let plan = try await observer.read { try QueryPlanTests.plan(of: sql, $0) }
            // The tallies are a row a job.
            let scans = plan.filter(QueryPlanTests.readsTooMuch).filter {
                $0 != "SCAN job_progress" && !$0.contains("ended")
            }
            #expect(scans.isEmpty, "\(sql)\n\(plan.joined(separator: "\n"))")
        }
    }
}
