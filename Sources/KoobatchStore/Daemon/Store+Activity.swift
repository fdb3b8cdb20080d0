import GRDB

extension Store {
    /// What there is to do, in numbers.
    public struct Activity: Hashable, Sendable {
        /// Jobs that run.
        public let runningJobs: Int
        /// Chunks to be sent.
        public let waitingChunks: Int
        /// Chunks that were sent and whose results are awaited.
        public let inFlightChunks: Int
        /// Chunks that wait for an operator.
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
}

extension Store.Activity {
    /// Nothing to do.
    public static let none = Self(runningJobs: 0, waitingChunks: 0, inFlightChunks: 0, heldChunks: 0)
}
