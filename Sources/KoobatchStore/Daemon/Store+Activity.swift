import GRDB
public import KoobatchCore

extension Store {
    /// What there is to do, in numbers.
    public struct Activity: Hashable, Sendable {
        /// Jobs that run.
        public let runningJobs: Int
        /// Chunks to be sent.
        public let waitingChunks: Int
        /// Chunks that were sent and whose results are awaited.
        public let inFlightChunks: Int
        /// Chunks that wait for a person.
        public let heldChunks: Int

        /// Creates counts.
        public init(runningJobs: Int, waitingChunks: Int, inFlightChunks: Int, heldChunks: Int) {
            self.runningJobs = runningJobs
            self.waitingChunks = waitingChunks
            self.inFlightChunks = inFlightChunks
            self.heldChunks = heldChunks
        }
    }

    /// Counts what there is to do; reads a row per unfinished job.
    public func activity() async throws -> Activity {
        try await read { db in
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT sum(job_state = 'running'), sum(waiting_chunks), sum(in_flight_chunks), sum(held_chunks)
                          FROM job_progress
                         WHERE job_state IN ('queued', 'running', 'paused')
                        """
                )
            )
            return Activity(
                runningJobs: row?[0] ?? 0,
                waitingChunks: row?[1] ?? 0,
                inFlightChunks: row?[2] ?? 0,
                heldChunks: row?[3] ?? 0
            )
        }
    }

    /// Which stages have work that is due, whether they may do it now or not.
    public func dueWork(at now: Timestamp) async throws -> (planning: Bool, submission: Bool, polling: Bool) {
        try await read { db in
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT EXISTS (SELECT 1
                                         FROM job_progress INDEXED BY job_progress_chores
                                        WHERE (deleting = 1 OR replan_upto IS NOT NULL OR blocked_chunks > 0)
                                          AND replan_upto IS NOT NULL
                                          AND job_state IN ('queued', 'running')
                                          AND run_at <= ?1),
                               EXISTS (SELECT 1
                                         FROM chunks
                                        WHERE state IN ('submitted', 'finished')
                                          AND next_poll_at IS NOT NULL
                                          AND next_poll_at <= ?1)
                        """
                ),
                arguments: [now]
            )
            return (row?[0] ?? false, try Self.hasClaimant(now: now, db), row?[1] ?? false)
        }
    }
}

extension Store.Activity {
    /// Nothing to do.
    public static let none = Self(runningJobs: 0, waitingChunks: 0, inFlightChunks: 0, heldChunks: 0)
}
