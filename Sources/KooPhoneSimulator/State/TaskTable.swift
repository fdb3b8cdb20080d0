import FoundationEssentials

/// The tasks that were accepted, for as long as the simulator lives.
struct TaskTable: Sendable {
    /// One accepted request; 32 bytes, whatever its number of jobs.
    struct Entry: Sendable {
        let firstJob: Int
        let jobCount: Int
        let submittedAt: Date
        /// One for all jobs, or one for each.
        let outcomes: [JobOutcome]
    }

    private var entries: [Entry] = []
    private var jobs = 0

    /// Adds a task and returns its number with the number of its first job.
    mutating func add(jobCount: Int, at now: Date, outcomes: [JobOutcome]) -> Receipt {
        let receipt = Receipt(task: entries.count, firstJob: jobs)
        entries.append(Entry(firstJob: jobs, jobCount: jobCount, submittedAt: now, outcomes: outcomes))
        jobs += jobCount
        return receipt
    }

    /// The task of a number; `nil` for one that there is not: a number comes out of an id that the caller sent.
    func entry(_ number: Int) -> Entry? {
        entries.indices.contains(number) ? entries[number] : nil
    }
}

/// The numbers of an accepted request.
struct Receipt: Sendable {
    let task: Int
    let firstJob: Int
}
