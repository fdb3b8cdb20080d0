import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// A random course of events, lived through by a database and by a model of it.
///
/// One in eight is free: with what the model does not know (`serialize_instances`, results and answers that come late or twice,
/// slow starts), held against the audit after every step, and brought to its end.
struct ModelHistory {
    private enum Step {
        case insert, work, replan, claim, answer, poll, tick, steer, settle, recover, expire, delete

        /// How often each comes: jobs have to get somewhere for there to be something to steer.
        static let weighted: [Step] =
            [
                .insert, .insert, .work, .work, .work, .work, .work, .replan, .claim, .claim, .answer, .answer, .answer,
                .poll,
            ]
            + [.tick, .steer, .steer, .steer, .steer, .steer, .settle, .recover, .expire, .delete]
        /// One change at a time, each as often as the others.
        static let free: [Step] = [
            .insert, .replan, .claim, .answer, .poll, .tick, .steer, .settle, .recover, .expire, .delete,
        ]
    }

    private(set) var steps: [String] = []
    var driver: StoreDriver
    let user: DatabaseQueue
    let statements = UserStatements()
    var random = SeededGenerator(seed: 0)
    var jobs: [Int64: ModelJob] = [:]
    /// Claims whose answers have not come; those to a daemon that died may still come.
    var sent: [ClaimedChunk] = []
    private(set) var isFree = false
    /// What was in which state after the last step of a free history.
    var states: [String: String] = [:]
    private var lastChunk: Int64 = 0

    init(_ database: TestDatabase) throws {
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    /// Lives through a history in a database that is empty and leaves it empty.
    ///
    /// - Parameter stride: after how many steps the database and the model are compared; also at the end.
    /// - Returns: how they differ, if they do; `steps` are those until then.
    mutating func live(seed: UInt64, comparingEvery stride: Int) async throws -> String? {
        random = SeededGenerator(seed: seed)
        driver.now = .start
        (steps, jobs, sent, states) = ([], [:], [], [:])
        isFree = seed.isMultiple(of: 8)
        if isFree { return try await liveFreely() }
        for number in 1...24 {
            if let divergence = try await step(isCompared: number % stride == 0) { return divergence }
        }
        if let divergence = try await difference() { return divergence }
        return try await end(isAudited: seed % 10 == 0)
    }

    /// Adds to what the current step is called.
    mutating func note(_ text: String) {
        steps[steps.count - 1] += " " + text
    }

    /// Does something and returns how the database and the model differ after it.
    mutating func step(isCompared: Bool) async throws -> String? {
        let step =
            jobs.isEmpty ? .insert : try #require((isFree ? Step.free : Step.weighted).randomElement(using: &random))
        steps.append("\(step)")
        let complaint: String? =
            switch step {
            case .insert: try await insert()
            case .replan: try await replan(chunkSize: Int.random(in: 1...6, using: &random))
            case .claim: try await claim(Int.random(in: 1...5, using: &random))
            case .work: try await work()
            case .answer: try await answer()
            case .poll: try await poll()
            case .tick: tick()
            case .steer: try await steer()
            case .settle: try await settle()
            case .recover: try await recover()
            case .expire: try await expire()
            case .delete: try await delete()
            }
        if let complaint { return complaint }
        return isCompared ? try await difference() : nil
    }

    /// Ends the history, and holds every instance against the model.
    ///
    /// - Parameter isAudited: whether every view is read too, which takes longer than the rest.
    private mutating func end(isAudited: Bool) async throws -> String? {
        let stored = try await user.rows(
            "SELECT command_job_id, instance_id, state FROM instance_status ORDER BY 1, 2, 3"
        )
        var expected: [[String]] = []
        for job in jobs.values {
            for chunk in job.chunks { expected += chunk.states.map { ["\(job.id)", $0.key, $0.value.rawValue] } }
            let state = job.isStopped ? "cancelled" : "pending"
            expected += job.names[job.planned...].map { ["\(job.id)", $0, state] }
        }
        let complaints = isAudited ? try await Audit.complaints(user) : []
        for id in jobs.keys where jobs[id]?.isOpen == true {
            try await user.user(
                "UPDATE command_jobs SET state = 'cancelled' WHERE id = ?",
                [id]
            )
        }
        _ = try await driver.store.recover(rules: driver.rules, at: driver.now, generator: random)
        driver.now = driver.now + .seconds(10_000)
        try await driver.pollAll(user)
        try await user.user("DELETE FROM command_jobs")
        if !complaints.isEmpty { return "\(complaints)" }
        let story = stored.map { $0.map { $0 ?? "" } }
        let differing = Set(story).symmetricDifference(expected)
        return differing.isEmpty && story.count == expected.count
            ? nil : "instance_status and the model differ in \(differing)"
    }

    /// A while in which the daemon is left to itself.
    private mutating func work() async throws -> String? {
        _ = tick()
        if let complaint = try await replan(chunkSize: Int.random(in: 1...4, using: &random)) { return complaint }
        if let complaint = try await claim(Int.random(in: 2...6, using: &random)) { return complaint }
        if let complaint = try await answer() { return complaint }
        return try await poll()
    }

    private mutating func tick() -> String? {
        driver.now = driver.now + .seconds(Int.random(in: 1...90, using: &random))
        return nil
    }

    /// The new chunks of each job in order, from the database: only their ids are news to the model.
    mutating func newChunks() async throws -> [Int64: [(id: Int64, names: String)]] {
        let last = lastChunk
        let rows = try await user.writeWithoutTransaction { db in
            try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT c.id, c.command_job_id, d.instance_ids
                          FROM chunks AS c
                          JOIN chunk_instances AS d ON d.chunk_id = c.id
                         WHERE c.id > ?
                         ORDER BY c.id
                        """
                ),
                arguments: [last]
            ).map { (id: $0[0] as Int64, job: $0[1] as Int64, names: $0[2] as String) }
        }
        lastChunk = rows.last?.id ?? last
        return Dictionary(grouping: rows, by: \.job).mapValues { $0.map { ($0.id, $0.names) } }
    }

    /// A statement of a user; the model said beforehand whether it is allowed.
    ///
    /// Of a free history it does not know.
    mutating func say(_ sql: String, _ id: Int64, allowed: Bool) async throws -> String? {
        note("\(sql) WHERE id = \(id)\(allowed || isFree ? "" : ", to be refused")")
        do {
            // Its texts as parameters, so that few statements are to be prepared.
            let parts = sql.split(separator: "'", omittingEmptySubsequences: false).enumerated()
            let texts = parts.filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
            let prepared = parts.map { $0.offset.isMultiple(of: 2) ? String($0.element) : "?" }.joined()
            _ = try await statements.run("\(prepared) WHERE id = ?", StatementArguments(texts) + [id], on: user)
            return allowed || isFree ? nil : "it was not refused"
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            let message = error.message ?? ""
            // A sentence that begins with the name of a thing, or one of SQLite's own.
            guard message.contains(#/^([a-z_]+: |[A-Z ]+ constraint failed: |cannot store )/#) else { return message }
            return allowed && !isFree ? "it was refused: \(message)" : nil
        }
    }

    // MARK: Comparison

    /// Jobs and chunks as the database has them against those of the model.
    private func difference() async throws -> String? {
        let storedJobs = try await user.rows(
            """
            SELECT s.id, s.state, s.finished_at IS NOT NULL, p.planned, p.plan_limit,
                   s.pending, s.submitted, s.succeeded, s.failed, s.unknown, s.cancelled, s.rejected,
                   coalesce(p.pause_cause, '')
              FROM job_status AS s
              JOIN job_progress AS p ON p.command_job_id = s.id
             ORDER BY s.id
            """
        ).map { $0.map { $0 ?? "" }.joined(separator: " ") }
        let expectedJobs = jobs.values.sorted { $0.id < $1.id }.map { job in
            let counts = InstanceState.inOrder.map { "\(job.count($0))" }.joined(separator: " ")
            let pause = job.state == .paused ? job.pause?.rawValue ?? "" : ""
            return
                "\(job.id) \(job.state.rawValue) \(job.isFinished ? 1 : 0) \(job.planned) \(job.planLimit) \(counts) \(pause)"
        }
        if storedJobs != expectedJobs { return "jobs: \(storedJobs)\nmodel: \(expectedJobs)" }
        let storedChunks = try await user.rows("SELECT id, state, attempts FROM chunks ORDER BY id")
            .map { $0.map { $0 ?? "" }.joined(separator: " ") }
        let expectedChunks = jobs.values.flatMap(\.chunks).sorted { $0.id < $1.id }
            .map { "\($0.id) \($0.state.rawValue) \($0.attempts)" }
        return storedChunks == expectedChunks ? nil : "chunks: \(storedChunks)\nmodel: \(expectedChunks)"
    }
}

extension InstanceState {
    /// In the order of the columns of `job_status`.
    fileprivate static let inOrder: [InstanceState] = [
        .pending, .submitted, .succeeded, .failed, .unknown, .cancelled, .rejected,
    ]
}
