extension RefusedStatementsTests {
    /// What a shell would do to the rows that the daemon keeps.
    static let guarded: [Refusal] = [
        Refusal(Stages.insertChunk(job: 2, ["zzz"]), "command_job_id: chunks are cut by koobatch"),
        Refusal(
            """
            INSERT INTO chunks (command_job_id, parent_id, next_attempt_at, size, instance_ids)
            VALUES (2, 2, \(Stages.past), 1, '["i2"]')
            """,
            "parent_id: chunks are split by koobatch"
        ),
        .update("job_progress SET in_flight_chunks = 0 WHERE command_job_id = 2", "job_progress: counts must add up"),
        .update("job_progress SET waiting_chunks = 9 WHERE command_job_id = 2", "job_progress: counts must add up"),
        .update("job_progress SET cancelled = 1 WHERE command_job_id = 2", "job_progress: counts must add up"),
        .update("job_progress SET set_aside = 1 WHERE command_job_id = 2", "planned + set_aside is at most plan_limit"),
        .update("job_progress SET total = 99 WHERE command_job_id = 2", "command_job_id and total cannot be changed"),
        .update("job_progress SET job_state = 'paused' WHERE command_job_id = 2", "follow command_jobs"),
        .update("job_progress SET run_at = 'soon' WHERE command_job_id = 2", "follow command_jobs"),
        .update("job_progress SET deleting = 1 WHERE command_job_id = 2", "deleting: only a finished job"),
        .update("job_progress SET rowid = 99 WHERE command_job_id = 2", "command_job_id and total cannot be changed"),
        .update("command_jobs SET rowid = 99 WHERE id = 1", "id: cannot be changed"),
        .update("command_jobs SET oid = 99 WHERE id = 1", "id: cannot be changed"),
        .update("chunks SET _rowid_ = 99 WHERE id = 1", "id and root_id cannot be changed"),
        .update("instance_jobs SET rowid = 99 WHERE instance_id = 'i4'", "id: cannot be changed"),
        .update("attempts SET rowid = 99 WHERE chunk_id = 2", "attempts: a finished attempt cannot be changed"),
        .update("chunks SET submitted_at = 'then' WHERE id = 3", "submitted_at: set by koobatch, in UTC"),
        .update("chunks SET finished_at = datetime('now') WHERE id = 5", "finished_at: set by koobatch, in UTC"),
        .update("daemon_state SET paused_until = 'later'", "daemon_state: times are UTC"),
        .update("daemon_state SET heartbeat_at = datetime('now')", "daemon_state: times are UTC"),
        .update("chunks SET next_poll_at = NULL WHERE id = 3", "next_poll_at: results of this chunk are still awaited"),
        .update("chunks SET failed = 1, succeeded = 1 WHERE id = 5", "counts: those of a finished chunk"),
        .update("chunks SET submitted = 1 WHERE id = 3", "counts: at most size"),
        .update("chunks SET superseded = 1 WHERE id = 6", "superseded: set by koobatch"),
        .update("instance_jobs SET superseded = 1 WHERE instance_id = 'i8'", "superseded: set by koobatch"),
        .update("instance_jobs SET state = 'failed' WHERE instance_id = 'i4'", "state: the result of an instance has"),
        Refusal(
            "INSERT OR REPLACE INTO instance_jobs (chunk_id, instance_id, job_id, state) VALUES (5, 'i8', 'j', 'submitted')",
            "instance_jobs: written by koobatch"
        ),
        Refusal(
            "INSERT OR REPLACE INTO instance_jobs (id, chunk_id, instance_id, job_id, state) "
                + "VALUES (1, 2, 'i2', 'j', 'submitted')",
            "instance_jobs: written by koobatch"
        ),
        Refusal(
            "INSERT OR REPLACE INTO attempts (id, chunk_id, request_id, started_at) VALUES (1, 1, 'r', \(Stages.past))",
            "id: an attempt with this id exists"
        ),
        Refusal("DELETE FROM chunks WHERE command_job_id = 3", "chunks: go with their command job"),
        Refusal("DELETE FROM instance_jobs WHERE chunk_id = 7", "instance_jobs: go with their command job"),
        Refusal("DELETE FROM attempts WHERE chunk_id = 7", "attempts: go with their command job"),
    ]
}
