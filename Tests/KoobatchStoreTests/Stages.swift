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
        \(claim(3)) \(accept(3, ["i4", "i5"]))
        \(claim(4)) \(lose(4))
        \(claim(5)) \(accept(5, ["i8", "i9"])) \(finish(5))
        \(claim(6)) \(fail(6))
        \(claim(7)) \(accept(7, ["s0", "s1"])) \(finish(7))
        \(claim(8)) \(accept(8, ["p0", "p1"])) \(finish(8))
        \(claim(9)) \(fail(9))

        """

    /// A time in the past, in the form of the database.
    static let past = "'2020-01-01T00:00:00.000Z'"

    /// What the planner does: a job that runs, and chunks, which the count comes before since version 5.
    static func plan(job: Int, chunks: [String]...) -> String {
        func count(_ condition: String) -> String {
            """
            UPDATE job_progress SET planned = planned + \(chunks.joined().count)
             WHERE command_job_id = \(job) AND (SELECT user_version FROM pragma_user_version) \(condition);
            """
        }
        return """
            UPDATE command_jobs SET state = 'running' WHERE id = \(job) AND state = 'queued';
            \(count(">= 5"))
            \(chunks.map { "\(insertChunk(job: job, $0))\n" }.joined())
            \(count("< 5"))
            """
    }

    static func insertChunk(job: Int, _ instances: [String]) -> String {
        """
        INSERT INTO chunks (command_job_id, next_attempt_at, size, instance_ids)
        VALUES (\(job), \(past), \(instances.count), '[\(instances.map { "\"\($0)\"" }.joined(separator: ","))]');
        """
    }

    static func claim(_ chunk: Int) -> String {
        """
        INSERT INTO attempts (chunk_id, request_id, started_at) VALUES (\(chunk), 'r\(chunk)', \(past));
        UPDATE chunks SET state = 'submitting', attempts = attempts + 1, next_attempt_at = NULL WHERE id = \(chunk);
        """
    }

    static func close(_ chunk: Int, _ outcome: String) -> String {
        """
        UPDATE attempts SET outcome = '\(outcome)', finished_at = \(past) WHERE chunk_id = \(chunk) AND outcome IS NULL;
        """
    }

    static func accept(_ chunk: Int, _ instances: [String]) -> String {
        """
        \(close(chunk, "accepted"))
        INSERT INTO instance_jobs (chunk_id, instance_id, job_id, state)
        SELECT \(chunk), value, 'job-' || value, 'submitted'
          FROM json_each('[\(instances.map { "\"\($0)\"" }.joined(separator: ","))]');
        UPDATE chunks
           SET state = 'submitted', task_id = 'task-\(chunk)', submitted_at = \(past), next_poll_at = \(past),
               submitted = size
         WHERE id = \(chunk);
        """
    }

    /// Every result is a success.
    static func finish(_ chunk: Int) -> String {
        """
        UPDATE instance_jobs SET state = 'succeeded', output = 'fine', finished_at = \(past) WHERE chunk_id = \(chunk);
        UPDATE chunks SET submitted = 0, succeeded = size, next_poll_at = NULL WHERE id = \(chunk);
        UPDATE chunks SET state = 'finished', finished_at = \(past) WHERE id = \(chunk);
        """
    }

    /// The API refuses the whole chunk.
    static func fail(_ chunk: Int, as column: String = "failed") -> String {
        """
        \(close(chunk, "refused"))
        UPDATE chunks
           SET state = 'failed', \(column) = size, error_code = 'E', error_msg = 'no', finished_at = \(past)
         WHERE id = \(chunk);
        """
    }

    /// The answer is lost and a person decides.
    static func lose(_ chunk: Int) -> String {
        """
        \(close(chunk, "unknown"))
        UPDATE chunks SET state = 'unknown', unknown = size, error_code = 'L', error_msg = 'lost' WHERE id = \(chunk);
        """
    }
}
