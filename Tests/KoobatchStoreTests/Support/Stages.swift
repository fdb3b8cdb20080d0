/// A database with a job and a chunk in every interesting state, built with what a shell can say.
///
/// | job | state | chunks |
/// |---|---|---|
/// | 1 | queued, key `nightly` | none |
/// | 2 | running | 1 pending, 2 submitting, 3 submitted, 4 held, 5 finished, 6 failed, each of two instances |
/// | 3 | succeeded | 7 |
/// | 4 | partial | 8 finished, 9 failed |
/// | 5 | paused | none |
/// | 6 | cancelled before planning | none |
///
/// What the daemon writes is written without triggers, as the daemon does; the counts of the job are summed up anew after
/// it, with triggers, so that what follows from them follows.
enum Stages {
    static let statements = """
        INSERT INTO command_jobs (command, instance_ids, unique_key) VALUES ('id', '["a","b","c"]', 'nightly');
        INSERT INTO command_jobs (command, instance_ids)
        VALUES ('ls -l /system', '["i0","i1","i2","i3","i4","i5","i6","i7","i8","i9","i10","i11"]');
        INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["s0","s1"]');
        INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["p0","p1","p2","p3"]');
        INSERT INTO command_jobs (command, instance_ids, state) VALUES ('id', '["w"]', 'paused');
        INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["x","y"]');
        UPDATE command_jobs SET state = 'cancelled' WHERE id = 6;

        \(plan(job: 2, chunks: ["i0", "i1"], ["i2", "i3"], ["i4", "i5"], ["i6", "i7"], ["i8", "i9"], ["i10", "i11"]))
        \(plan(job: 3, chunks: ["s0", "s1"]))
        \(plan(job: 4, chunks: ["p0", "p1"], ["p2", "p3"]))
        \(claim(2))
        \(claim(3)) \(accept(3))
        \(claim(4)) \(lose(4))
        \(claim(5)) \(accept(5)) \(finish(5))
        \(claim(6)) \(fail(6))
        \(claim(7)) \(accept(7)) \(finish(7))
        \(claim(8)) \(accept(8)) \(finish(8))
        \(claim(9)) \(fail(9))

        """

    /// A time in the past, in the form of the database.
    static let past = "'2020-01-01T00:00:00.000Z'"

    /// A job of so many instances.
    static func insert(instances: Int) -> String {
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(instances))
        INSERT INTO command_jobs (command, instance_ids) SELECT 'id', json_group_array('phone' || i) FROM n;
        """
    }

    /// Statements that run as those of the daemon do, without triggers.
    ///
    /// The shell prints its settings, which go nowhere.
    static func daemon(_ statements: String) -> String {
        """

        .output /dev/null
        .dbconfig enable_trigger off
        .output stdout
        \(statements)
        .output /dev/null
        .dbconfig enable_trigger on
        .output stdout

        """
    }

    /// A job that runs, and chunks that wait to be sent.
    static func plan(job: Int, chunks: [String]...) -> String {
        """
        UPDATE command_jobs SET state = 'running' WHERE id = \(job) AND state = 'queued';
        \(daemon(chunks.map { insertChunk(job: job, $0) }.joined(separator: "\n")))
        \(recount("\(job)", planned: chunks.joined().count))
        """
    }

    static func insertChunk(job: Int, _ instances: [String], splitFrom parent: String = "NULL") -> String {
        """
        INSERT INTO chunks (command_job_id, state, next_attempt_at, size, split_from)
        VALUES (\(job), 'pending', \(past), \(instances.count), \(parent));
        INSERT INTO chunk_instances (chunk_id, instance_ids)
        VALUES (last_insert_rowid(), '[\(instances.map { "\"\($0)\"" }.joined(separator: ","))]');
        """
    }

    static func claim(_ chunk: Int) -> String {
        change(
            chunk,
            """
            INSERT INTO attempts (chunk_id, request_id, started_at) VALUES (\(chunk), 'r\(chunk)', \(past));
            UPDATE chunks SET state = 'submitting', attempts = attempts + 1, next_attempt_at = NULL WHERE id = \(chunk);
            """
        )
    }

    static func accept(_ chunk: Int) -> String {
        change(
            chunk,
            """
            \(close(chunk, "accepted"))
            UPDATE chunk_instances
               SET job_ids = (SELECT json_group_array('job-' || value) FROM json_each(instance_ids)),
                   states  = (SELECT substr('aaaaaaaaaa', 1, size) FROM chunks WHERE id = \(chunk))
             WHERE chunk_id = \(chunk);
            UPDATE chunks
               SET state = 'submitted', task_id = 'task-\(chunk)', submitted_at = \(past), next_poll_at = \(past),
                   submitted = size
             WHERE id = \(chunk);
            """
        )
    }

    /// Every result is a success.
    static func finish(_ chunk: Int) -> String {
        change(
            chunk,
            """
            UPDATE chunk_instances SET states = replace(states, 'a', 's'), outputs = '"fine"' WHERE chunk_id = \(chunk);
            UPDATE chunks
               SET submitted = 0, succeeded = size, next_poll_at = NULL, state = 'finished', finished_at = \(past)
             WHERE id = \(chunk);
            """
        )
    }

    /// The API refuses the whole chunk.
    static func fail(_ chunk: Int, as column: String = "failed") -> String {
        change(
            chunk,
            """
            \(close(chunk, "refused"))
            UPDATE chunks
               SET state = 'failed', \(column) = size, error_code = 'E', error_msg = 'no', finished_at = \(past)
             WHERE id = \(chunk);
            """
        )
    }

    /// The answer is lost and an operator decides.
    static func lose(_ chunk: Int) -> String {
        change(
            chunk,
            """
            \(close(chunk, "unknown"))
            UPDATE chunks SET state = 'unknown', unknown = size, error_code = 'L', error_msg = 'lost' WHERE id = \(chunk);
            """
        )
    }

    /// A request that came to nothing; its chunk is to be sent again.
    static func retry(_ chunk: Int, _ outcome: String, at time: String) -> String {
        change(
            chunk,
            """
            \(close(chunk, outcome))
            UPDATE chunks
               SET state = 'pending', next_attempt_at = '\(time)', error_code = 'E', error_msg = 'm'
             WHERE id = \(chunk);
            """
        )
    }

    /// A chunk that is replaced by its halves.
    static func split(_ chunk: Int, job: Int, into halves: [String]...) -> String {
        change(
            chunk,
            """
            \(close(chunk, "refused"))
            UPDATE chunks SET state = 'split', finished_at = \(past) WHERE id = \(chunk);
            \(halves.map { insertChunk(job: job, $0, splitFrom: "\(chunk)") }.joined(separator: "\n"))
            """
        )
    }

    /// Accepted, and nobody asks for results.
    static func unpolled(_ chunk: Int) -> String {
        change(
            chunk,
            "UPDATE chunks SET state = 'finished', next_poll_at = NULL, finished_at = \(past) WHERE id = \(chunk);"
        )
    }

    /// Statements of the daemon about a chunk, and what follows for its job.
    static func change(_ chunk: Int, _ statements: String) -> String {
        """
        \(daemon(statements))
        \(recount("(SELECT command_job_id FROM chunks WHERE id = \(chunk))"))
        """
    }

    private static func close(_ chunk: Int, _ outcome: String) -> String {
        """
        UPDATE attempts SET outcome = '\(outcome)', finished_at = \(past) WHERE chunk_id = \(chunk) AND outcome IS NULL;
        """
    }

    /// Sums up the counts of a job anew.
    static func recount(_ job: String, planned: Int = 0) -> String {
        """
        UPDATE job_progress
           SET planned    = planned + \(planned),
               (submitted, succeeded, failed, unknown, rejected, waiting_chunks, blocked_chunks, in_flight_chunks,
                held_chunks)
                          = (SELECT sum(submitted), sum(succeeded), sum(failed), sum(unknown), sum(rejected),
                                    sum(state = 'pending'), sum(blocked), sum(state IN ('submitting', 'submitted')),
                                    sum(state = 'unknown')
                               FROM chunks
                              WHERE command_job_id = job_progress.command_job_id),
               slow_start = slow_start = 1 AND NOT EXISTS (SELECT 1
                                                             FROM chunks
                                                            WHERE command_job_id = job_progress.command_job_id
                                                              AND task_id IS NOT NULL),
               revision   = revision + 1
         WHERE command_job_id = \(job);
        """
    }
}
