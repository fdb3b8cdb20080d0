import TestSupport
import Testing

/// What `why` says about each thing that a job or a chunk can wait for, row by row.
@Suite("Why", .database)
struct WhyTests {
    /// Statements, and the rows that `why` has after them: job, chunk, blocker, explanation, earliest_at.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let statements: String
        let rows: [[String]]

        var testDescription: String { name }

        init(_ name: String, _ statements: String..., rows: [String]...) {
            self.name = name
            self.statements = statements.joined(separator: ";\n")
            self.rows = rows
        }
    }

    @Test("names the exact blocker and the earliest time", arguments: waits + careful + overdue + requests + chunks)
    func why(_ wait: Case) throws {
        let shell = try TestDatabase.current().shell
        let rows = try shell.rows(
            """
            UPDATE daemon_state SET pid = 1, heartbeat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now');
            \(wait.statements);
            SELECT command_job_id, chunk_id, blocker, explanation,
                   CASE WHEN abs(julianday(earliest_at) - julianday('now')) < 0.001 THEN 'now' ELSE earliest_at END
              FROM why
             ORDER BY command_job_id, chunk_id;
            """
        )
        #expect(rows == wait.rows)
    }

    @Test("never names a time that has come while a job waits for the rate", arguments: [0.1, 0.5, 20, 10_000])
    func nextRequest(perSecond: Double) throws {
        let rows = try TestDatabase.current().shell.rows(
            """
            UPDATE daemon_state
               SET pid = 1, heartbeat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), requests_per_second = \(perSecond);
            \(Self.insert());
            \(Self.twoChunks)
            SELECT blocker, earliest_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
                   round((julianday(earliest_at) - julianday('now')) * 86400) = round(1 / \(perSecond))
              FROM why;
            """
        )
        #expect(rows == [["rate_limit", "1", "1"]])
    }

    static func insert(_ columns: KeyValuePairs<String, String> = [:]) -> String {
        let names = columns.map { ", \($0.key)" }.joined()
        let values = columns.map { ", \($0.value)" }.joined()
        return
            "INSERT INTO command_jobs (command, instance_ids\(names)) VALUES ('id', '[\"a\",\"b\",\"c\",\"d\"]'\(values))"
    }

    static let later = "2099-01-01T00:00:00.000Z"
    private static let lookLater = "UPDATE chunks SET next_poll_at = '\(later)' WHERE state = 'submitted'"
    private static let twoChunks = Stages.plan(job: 1, chunks: ["a", "b"], ["c", "d"])
    private static let queued = "queued: all request slots are in use"

    // MARK: What the job itself waits for

    static let waits: [Case] = [
        Case("a place among the requests", insert(), rows: ["1", "", "queued", queued, "now"]),
        Case(
            "jobs of higher priority, which are named",
            insert(["priority": "-1"]),
            insert(["priority": "5"]),
            insert(["priority": "7"]),
            insert(["priority": "5"]),
            Stages.plan(job: 1, chunks: ["a"]),
            Stages.plan(job: 2, chunks: ["a"]),
            Stages.plan(job: 3, chunks: ["a"]),
            // This one is blocked itself, and nobody waits for it.
            Stages.plan(job: 4, chunks: ["a"]),
            "UPDATE chunks SET next_attempt_at = '\(later)' WHERE command_job_id = 4",
            // Nothing is left to cut from their lists.
            "UPDATE job_progress SET planned = 4, revision = revision + 1",
            rows: ["1", "", "queued", "queued: jobs of higher priority go first: 3, 2", ""],
            ["2", "", "queued", "queued: jobs of higher priority go first: 3", ""],
            ["3", "", "queued", queued, "now"],
            ["4", "", "backoff", "chunks that wait for their next attempt: 1; see their rows", later],
            ["4", "4", "backoff", "not sent yet, and put off; 0 of 8 attempts are used", later]
        ),
        Case(
            "run_at",
            insert(["run_at": "'2099-01-01'"]),
            rows: ["1", "", "run_at", "not before run_at, \(later)", later]
        ),
        Case(
            "a user who paused it",
            insert(),
            "UPDATE command_jobs SET state = 'paused'",
            rows: [
                "1", "", "pause",
                "paused by hand; resume with UPDATE command_jobs SET state = 'running' WHERE id = 1", "",
            ]
        ),
        Case(
            "a user who paused it and said why",
            insert(),
            "UPDATE command_jobs SET state = 'paused', state_reason = 'for the audit'",
            rows: [
                "1", "", "pause",
                "for the audit; resume with UPDATE command_jobs SET state = 'running' WHERE id = 1", "",
            ]
        ),
        Case(
            "its canary",
            insert(["canary": "2"]),
            Stages.plan(job: 1, chunks: ["a", "b"]),
            Stages.claim(1) + Stages.accept(1),
            lookLater,
            rows: [
                "1", "", "canary",
                "the first 2 instances must succeed before the other 2 are sent; 0 have so far; results awaited of a, b",
                later,
            ]
        ),
        Case(
            "a canary that failed",
            insert(["canary": "2"]),
            Stages.plan(job: 1, chunks: ["a", "b"]),
            Stages.claim(1) + Stages.fail(1),
            rows: [
                "1", "", "canary",
                "canary: 2 of 2 instances did not succeed; resume to run the rest all the same, or cancel", "",
            ]
        ),
        Case(
            "max_errors",
            insert(["max_errors": "'10%'"]),
            twoChunks,
            Stages.claim(1) + Stages.fail(1),
            rows: [
                "1", "", "max_errors",
                "max_errors: 2 instances failed, more than 10%; resume to go on counting from here, or cancel", "",
            ]
        ),
        Case(
            "max_errors, overstepped while it was paused by hand",
            insert(["max_errors": "1"]),
            twoChunks,
            Stages.claim(1),
            "UPDATE command_jobs SET state = 'paused'",
            Stages.fail(1),
            rows: [
                "1", "", "max_errors",
                "max_errors: 2 instances failed, more than 1; resume to go on counting from here, or cancel", "",
            ]
        ),
        Case(
            "max_concurrency",
            insert(["max_concurrency": "1"]),
            twoChunks,
            Stages.claim(1) + Stages.accept(1),
            lookLater,
            rows: [
                "1", "", "max_concurrency",
                "chunks in flight: 1, and max_concurrency allows 1; results awaited of a, b", later,
            ]
        ),
        Case(
            "its results",
            insert(),
            Stages.plan(job: 1, chunks: ["a", "b", "c", "d"]),
            Stages.claim(1) + Stages.accept(1),
            lookLater,
            rows: [
                "1", "", "results",
                "everything is sent; chunks whose results are awaited: 1; results awaited of a, b, c and 1 more", later,
            ]
        ),
        Case(
            "its results, although it is paused: it has nothing to send",
            insert(),
            Stages.plan(job: 1, chunks: ["a", "b", "c", "d"]),
            Stages.claim(1) + Stages.accept(1),
            lookLater,
            "UPDATE command_jobs SET state = 'paused'",
            rows: [
                "1", "", "results",
                "everything is sent; chunks whose results are awaited: 1; results awaited of a, b, c and 1 more", later,
            ]
        ),
        Case(
            "the answers of what was in flight when it was cancelled",
            insert(),
            twoChunks,
            Stages.claim(1),
            "UPDATE command_jobs SET state = 'cancelled'",
            rows: ["1", "", "results", "cancelled; chunks in flight, whose answers and results are awaited: 1", ""]
        ),
        Case(
            "a place among the requests, to run again",
            insert(),
            Stages.plan(job: 1, chunks: ["a", "b", "c", "d"]),
            Stages.claim(1) + Stages.fail(1),
            "UPDATE command_jobs SET state = 'queued'",
            rows: ["1", "", "queued", queued, "now"]
        ),
        Case("nothing, being finished", insert(), "UPDATE command_jobs SET state = 'cancelled'"),
    ]

    // MARK: What everything waits for

    private static func daemon(_ change: String) -> String { "UPDATE daemon_state SET \(change)" }

    static let requests: [Case] = [
        Case(
            "a daemon that never ran",
            insert(),
            daemon("pid = NULL, heartbeat_at = NULL"),
            rows: ["1", "", "daemon", "the daemon is not running; start it with koobatch run", ""]
        ),
        Case(
            "a daemon that has died",
            insert(),
            daemon("heartbeat_at = '2026-01-01T00:00:00.000Z'"),
            rows: [
                "1", "", "daemon",
                "the daemon is not running, last seen 2026-01-01T00:00:00.000Z; start it with koobatch run", "",
            ]
        ),
        Case(
            "a pause that the API asked for",
            insert(),
            daemon("paused_until = '\(later)'"),
            rows: ["1", "", "rate_limit", "the API asked for a pause until \(later)", later]
        ),
        Case(
            "the rate that was learned",
            insert(),
            twoChunks,
            daemon("requests_per_second = 18.96"),
            rows: [
                "1", "", "rate_limit",
                "requests go at 19.0 a second at most: what the API takes or requests_per_second allows",
                "now",
            ]
        ),
        Case(
            "a rate below one a second, in seconds a request",
            insert(),
            twoChunks,
            daemon("requests_per_second = 0.093"),
            rows: [
                "1", "", "rate_limit",
                "requests go at 1 every 10.8 seconds at most: what the API takes or requests_per_second allows",
                "now",
            ]
        ),
        Case(
            "an open circuit",
            insert(),
            daemon("circuit = 'open', paused_until = '\(later)', last_error = 'HTTP.503 busy'"),
            rows: [
                "1", "", "circuit",
                "circuit open: the API fails and requests are paused; it is probed now and then (HTTP.503 busy)",
                later,
            ]
        ),
        Case(
            "a probe",
            insert(),
            daemon("circuit = 'half-open', last_error = 'HTTP.503 busy'"),
            rows: [
                "1", "", "circuit",
                "circuit half-open: the API failed and requests are paused; a probe is out (HTTP.503 busy)", "",
            ]
        ),
        Case(
            "credentials",
            insert(),
            daemon("credentials = 'refused', paused_until = '\(later)', last_error = 'APIGW.0301 no'"),
            rows: ["1", "", "credentials", "the API refuses the credentials; renew the token (APIGW.0301 no)", later]
        ),
        Case(
            "run_at before anything that may have passed by then",
            insert(["run_at": "'2099-01-01'"]),
            daemon("circuit = 'open', heartbeat_at = NULL"),
            rows: ["1", "", "run_at", "not before run_at, \(later)", later]
        ),
    ]
}
