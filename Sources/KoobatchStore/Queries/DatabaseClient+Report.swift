import GRDB
public import KoobatchCore

extension DatabaseClient {
    /// The most distinct results of a report.
    public static let mostOutputs = 50
    /// The most instances that did not succeed of a report.
    public static let mostUnsuccessful = 500

    /// Reads what there is to tell of a job; `nil` if there is no such job.
    ///
    /// SQLite counts and groups: what is read stays small however large the job. It goes through the job's instances a
    /// few times, which takes some seconds for a million, and holds up nobody.
    public func report(of job: CommandJobID, at now: Timestamp) async throws -> JobReport? {
        try await snapshot { db in
            guard let facts = try Self.facts(of: job, db) else { return nil }
            let (outputs, distinct) = try Self.outputs(of: job, db)
            let (timeline, durations) = try Self.timeline(of: facts, at: now, db)
            return JobReport(
                job: facts,
                timeline: timeline,
                durations: durations,
                outputs: outputs,
                distinctOutputs: distinct,
                unsuccessful: try Self.unsuccessful(of: job, db),
                requests: try Self.requests(of: job, db),
                repeats: try Self.repeats(of: job, db),
                readAt: now
            )
        }
    }

    private static func facts(of job: CommandJobID, _ db: Database) throws -> JobReport.Facts? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT j.id, j.label, j.command, j.state, j.state_reason,
                       j.created_at, j.run_at, j.started_at, j.finished_at,
                       p.total, p.submitted, p.succeeded, p.failed, p.unknown, p.cancelled, p.rejected
                  FROM command_jobs AS j
                  JOIN job_progress AS p ON p.command_job_id = j.id
                 WHERE j.id = ?
                """,
            arguments: [job]
        ).map { row in
            let states: [InstanceState] = [.submitted, .succeeded, .failed, .unknown, .cancelled, .rejected]
            var counts = Dictionary(uniqueKeysWithValues: states.enumerated().map { ($1, row[10 + $0] as Int) })
            let total: Int = row[9]
            counts[.pending] = total - counts.values.reduce(0, +)
            return JobReport.Facts(
                id: row[0],
                label: row[1],
                command: row[2],
                state: row[3],
                stateReason: row[4],
                createdAt: try row.decode(atIndex: 5),
                runAt: try row.decode(atIndex: 6),
                startedAt: try row.decode(atIndex: 7),
                finishedAt: try row.decode(atIndex: 8),
                instances: counts,
                total: total
            )
        }
    }

    /// However many groups there are, the commonest are kept.
    private static func outputs(of job: CommandJobID, _ db: Database) throws -> ([JobReport.Output], Int) {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT state, error_code, output, instances, example_instance_id
                  FROM outputs
                 WHERE command_job_id = ?1
                """,
            arguments: [job]
        )
        var commonest: [JobReport.Output] = []
        var distinct = 0
        while let row = try rows.next() {
            distinct += 1
            let instances: Int = row[3]
            if commonest.count == mostOutputs, let last = commonest.last, last.instances >= instances { continue }
            let place = commonest.firstIndex { $0.instances < instances } ?? commonest.count
            commonest.insert(
                JobReport.Output(
                    state: row[0],
                    errorCode: row[1],
                    text: row[2],
                    instances: instances,
                    example: row[4]
                ),
                at: place
            )
            if commonest.count > mostOutputs { commonest.removeLast() }
        }
        return (commonest, distinct)
    }

    /// Chunks in which all is well are passed over, so that this is quick where little went wrong.
    private static func unsuccessful(of job: CommandJobID, _ db: Database) throws -> [JobReport.UnsuccessfulInstance] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT instance_id, chunk_id, state, error_code, error_msg, finished_at
                  FROM instance_status
                 WHERE command_job_id = ?1
                   AND chunk_id IN (SELECT id
                                      FROM chunks
                                     WHERE command_job_id = ?1
                                       AND failed + unknown + rejected > 0
                                     LIMIT ?2)
                   AND state IN ('failed', 'unknown', 'rejected')
                 LIMIT ?2
                """,
            arguments: [job, mostUnsuccessful]
        ).map { row in
            JobReport.UnsuccessfulInstance(
                instance: row[0],
                chunk: row[1],
                state: row[2],
                errorCode: row[3],
                message: row[4],
                finishedAt: try row.decode(atIndex: 5)
            )
        }
    }

    private static func requests(of job: CommandJobID, _ db: Database) throws -> [JobReport.RequestGroup] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT coalesce(a.outcome, 'in_flight'),
                       a.http_status,
                       a.error_code,
                       min(a.error_msg),
                       count(*),
                       avg(max(0.0, julianday(a.finished_at) - julianday(a.started_at))) * 86400,
                       max(max(0.0, julianday(a.finished_at) - julianday(a.started_at))) * 86400
                  FROM chunks AS c
                  JOIN attempts AS a ON a.chunk_id = c.id
                 WHERE c.command_job_id = ?
                 GROUP BY 1, 2, 3
                 ORDER BY count(*) DESC
                 LIMIT 40
                """,
            arguments: [job]
        ).map { row in
            JobReport.RequestGroup(
                outcome: row[0],
                httpStatus: row[1],
                errorCode: row[2],
                message: row[3],
                requests: row[4],
                averageSeconds: row[5],
                longestSeconds: row[6]
            )
        }
    }

    private static func repeats(of job: CommandJobID, _ db: Database) throws -> JobReport.Repeats {
        let sent = try Row.fetchOne(
            db,
            sql: """
                SELECT count(DISTINCT a.chunk_id), count(*)
                  FROM chunks AS c
                  JOIN attempts AS a ON a.chunk_id = c.id
                 WHERE c.command_job_id = ?
                """,
            arguments: [job]
        )
        let row = try Row.fetchOne(
            db,
            sql:
                "SELECT coalesce(sum(state = 'split'), 0), coalesce(sum(polls), 0) FROM chunks WHERE command_job_id = ?",
            arguments: [job]
        )
        let chunks: Int = sent?[0] ?? 0
        let requests: Int = sent?[1] ?? 0
        return JobReport.Repeats(chunks: chunks, retries: requests - chunks, splits: row?[0] ?? 0, polls: row?[1] ?? 0)
    }
}
