import GRDB
import KoobatchCore

extension DatabaseClient {
    /// What happened when, in at most 200 steps, and how long results took.
    static func timeline(
        of job: JobReport.Facts,
        at now: Timestamp,
        _ db: Database
    ) throws -> (JobReport.Timeline?, [JobReport.DurationCount]) {
        guard let start = job.startedAt else { return (nil, []) }
        var timeline = JobReport.Timeline(from: start, to: max(start, job.finishedAt ?? now))
        let arguments: StatementArguments = [
            "job": job.id, "start": start, "step": timeline.stepMilliseconds,
        ]
        let submissions = try Row.fetchCursor(
            db,
            sql: """
                SELECT \(step(of: "submitted_at")), sum(size)
                  FROM chunks
                 WHERE command_job_id = :job
                   AND submitted_at IS NOT NULL
                 GROUP BY 1
                """,
            arguments: arguments
        )
        while let row = try submissions.next() { timeline.change(row[0]) { $0.submitted += row[1] } }
        let requests = try Row.fetchCursor(
            db,
            sql: """
                SELECT \(step(of: "a.started_at")), coalesce(a.outcome, 'in_flight'), count(*)
                  FROM chunks AS c
                  JOIN attempts AS a ON a.chunk_id = c.id
                 WHERE c.command_job_id = :job
                 GROUP BY 1, 2
                """,
            arguments: arguments
        )
        while let row = try requests.next() { timeline.change(row[0]) { $0.requests[row[1], default: 0] += row[2] } }
        let durations = try addResults(to: &timeline, arguments, db)
        return (timeline, durations)
    }

    /// The step that a column's time falls in; the arithmetic of days is exact to a fraction of a millisecond.
    private static func step(of column: String) -> String {
        "CAST((julianday(\(column)) - julianday(:start)) * 86400000 / :step AS INTEGER)"
    }

    /// The results of a chunk come with few queries: grouped by them first, a million instances are some thousand rows.
    private static func addResults(
        to timeline: inout JobReport.Timeline,
        _ arguments: StatementArguments,
        _ db: Database
    ) throws -> [JobReport.DurationCount] {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                WITH ended AS MATERIALIZED (
                    SELECT state,
                           finished_at,
                           max(0.0, julianday(finished_at) - julianday(submitted_at)) * 86400 AS seconds,
                           sum(instances) AS instances
                      FROM (SELECT c.id,
                                   c.submitted_at,
                                   CASE substr(d.states, e.key + 1, 1)
                                       WHEN 's' THEN 'succeeded'
                                       WHEN 'f' THEN 'failed'
                                       ELSE 'unknown'
                                   END AS state,
                                   CASE WHEN d.result_times IS NULL THEN c.finished_at
                                        WHEN d.result_times GLOB '[[]*' THEN d.result_times ->> ('$[' || e.key || ']')
                                        ELSE d.result_times ->> '$'
                                   END AS finished_at,
                                   iif(json_array_length(e.json) = 1, c.size, 1) AS instances
                              FROM chunks AS c
                             CROSS JOIN chunk_instances AS d ON d.chunk_id = c.id
                             -- A chunk whose instances all ended alike and at once counts as a whole.
                             CROSS JOIN json_each(iif(trim(d.states, substr(d.states, 1, 1)) = ''
                                                      AND d.result_times IS NULL,
                                                      '[0]',
                                                      d.instance_ids)) AS e
                             WHERE c.command_job_id = :job
                               AND c.task_id IS NOT NULL
                               AND substr(d.states, e.key + 1, 1) IN ('s', 'f', 'u'))
                     GROUP BY id, state, finished_at
                )
                SELECT 'ended', \(step(of: "finished_at")), state, sum(instances)
                  FROM ended
                 GROUP BY 2, 3
                UNION ALL
                SELECT 'ended',
                       \(step(of: "finished_at")),
                       CASE WHEN failed > 0 THEN 'failed' WHEN rejected > 0 THEN 'rejected' ELSE 'unknown' END,
                       sum(size)
                  FROM chunks
                 WHERE command_job_id = :job
                   AND task_id IS NULL
                   AND finished_at IS NOT NULL
                   AND failed + rejected + unknown > 0
                 GROUP BY 2, 3
                UNION ALL
                SELECT 'took',
                       CASE WHEN seconds < 0.1 THEN round(max(seconds, 0), 3)
                            WHEN seconds < 1 THEN round(seconds, 2)
                            WHEN seconds < 10 THEN round(seconds, 1)
                            WHEN seconds < 100 THEN round(seconds)
                            WHEN seconds < 1000 THEN round(seconds / 10) * 10
                            WHEN seconds < 10000 THEN round(seconds / 100) * 100
                            ELSE round(seconds / 1000) * 1000
                       END,
                       NULL,
                       sum(instances)
                  FROM ended
                 WHERE state IN ('succeeded', 'failed')
                 GROUP BY 2
                """,
            arguments: arguments
        )
        var durations: [JobReport.DurationCount] = []
        while let row = try rows.next() {
            if row[0] == "took" {
                durations.append(JobReport.DurationCount(seconds: row[1], instances: row[3]))
            } else {
                timeline.change(row[1]) { $0.ended[row[2], default: 0] += row[3] }
            }
        }
        return durations.sorted { $0.seconds < $1.seconds }
    }
}
