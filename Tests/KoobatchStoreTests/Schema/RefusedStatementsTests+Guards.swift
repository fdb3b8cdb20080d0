extension RefusedStatementsTests {
    private static let chunks = "chunks: written by koobatch; by hand only the state of a held chunk"
    private static let progress = "job_progress: counts must add up, so koobatch keeps them"

    /// What a shell would do to the rows that the daemon keeps.
    static let guarded: [Refusal] = [
        Refusal(Stages.insertChunk(job: 2, ["zzz"]), "chunks: written by koobatch"),
        .update("job_progress SET in_flight_chunks = 0 WHERE command_job_id = 2", progress),
        .update("job_progress SET waiting_chunks = 9 WHERE command_job_id = 2", progress),
        .update("job_progress SET cancelled = 1 WHERE command_job_id = 2", progress),
        .update("job_progress SET total = 99 WHERE command_job_id = 2", progress),
        .update("job_progress SET total = 99, revision = revision + 1 WHERE command_job_id = 2", progress),
        .update("job_progress SET job_state = 'paused' WHERE command_job_id = 2", progress),
        .update("job_progress SET run_at = 'soon' WHERE command_job_id = 2", progress),
        .update("job_progress SET deleting = 1 WHERE command_job_id = 2", progress),
        .update("job_progress SET rowid = 99, revision = revision + 1 WHERE command_job_id = 2", progress),
        .update(
            "job_progress SET planned = 13, revision = revision + 1 WHERE command_job_id = 2",
            "counts must add up"
        ),
        .update("job_progress SET failed = 13, revision = revision + 1 WHERE command_job_id = 2", "counts must add up"),
        .update(
            "job_progress SET submitted = -1, revision = revision + 1 WHERE command_job_id = 2",
            "counts must add up"
        ),
        Refusal(
            """
            INSERT OR REPLACE INTO job_progress (command_job_id, job_state, priority, run_at, is_due, total, plan_limit)
            VALUES (2, 'running', 0, \(Stages.past), 1, 1, 1)
            """,
            "job_progress: kept by koobatch"
        ),
        Refusal(
            """
            INSERT INTO job_progress (command_job_id, job_state, priority, run_at, is_due, total, plan_limit)
            VALUES (99, 'running', 0, \(Stages.past), 1, 1, 1)
            """,
            "job_progress: kept by koobatch"
        ),
        .update("command_jobs SET rowid = 99 WHERE id = 1", "id: cannot be changed"),
        .update("command_jobs SET oid = 99 WHERE id = 1", "id: cannot be changed"),
        .update("chunks SET _rowid_ = 99 WHERE id = 1", chunks),
        .update("chunk_instances SET rowid = 99 WHERE chunk_id = 3", "chunk_instances: written by koobatch"),
        .update("attempts SET rowid = 99 WHERE chunk_id = 2", "attempts: written by koobatch"),
        .update("chunks SET submitted_at = 'then' WHERE id = 3", chunks),
        .update("chunks SET finished_at = datetime('now') WHERE id = 5", chunks),
        .update("chunks SET finished_at = NULL WHERE id = 6", chunks),
        .update("daemon_state SET paused_until = 'later'", "daemon_state: times are UTC"),
        .update("daemon_state SET heartbeat_at = datetime('now')", "daemon_state: times are UTC"),
        .update("chunks SET next_poll_at = NULL WHERE id = 3", "next_poll_at: results of this chunk are still awaited"),
        .update("chunks SET failed = 1, succeeded = 1 WHERE id = 5", chunks),
        .update("chunks SET submitted = 1 WHERE id = 3", chunks),
        .update("chunks SET unknown = 0 WHERE id = 4", chunks),
        .update("chunks SET unknown = 1 WHERE id = 1", chunks),
        .update("chunks SET cancelled = 1 WHERE id = 1", chunks),
        .update("chunks SET size = 1 WHERE id = 1", chunks),
        .update("chunks SET split_from = 2 WHERE id = 1", chunks),
        .update("chunks SET blocked = 1 WHERE id = 1", chunks),
        .update("chunks SET polls = 0, attempts = 0 WHERE id = 3", chunks),
        .update("chunks SET error_code = NULL, error_msg = NULL WHERE id = 6", chunks),
        .update("chunks SET state = 'pending', unknown = 1 WHERE id = 4", chunks),
        .update("chunks SET state = 'failed', unknown = 0, failed = 2 WHERE id = 4", chunks),
        Refusal(
            "INSERT OR REPLACE INTO chunks (id, command_job_id, state, size) VALUES (1, 2, 'failed', 1)",
            "chunks: written by koobatch"
        ),
        Refusal(
            "INSERT OR REPLACE INTO chunk_instances (chunk_id, instance_ids) VALUES (5, '[\"i8\"]')",
            "chunk_instances: written by koobatch"
        ),
        Refusal(
            "INSERT INTO attempts (chunk_id, request_id, started_at) VALUES (1, 'r', \(Stages.past))",
            "attempts: written by koobatch before each request"
        ),
        Refusal(
            "INSERT OR REPLACE INTO attempts (id, chunk_id, request_id, started_at) VALUES (1, 1, 'r', \(Stages.past))",
            "attempts: written by koobatch before each request"
        ),
        Refusal("DELETE FROM chunks WHERE command_job_id = 3", "chunks: go with their command job"),
        Refusal("DELETE FROM chunk_instances WHERE chunk_id = 7", "chunk_instances: go with their command job"),
        Refusal("DELETE FROM attempts WHERE chunk_id = 7", "attempts: go with their command job"),
    ]
}
