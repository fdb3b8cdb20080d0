import Foundation

/// Large jobs that take turns, whose lists together are more than the daemon keeps in memory, beside one job alone.
enum SeveralJobs: Measure {
    static let name = "several"
    static let abstract = "eight large jobs that take turns, against one"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let (count, instances) = (8, setup.pick(250_000, quick: 4_000))
        let bed = try TestBed(programs: setup.programs, isPolling: false)
        defer { bed.tearDown() }
        try bed.startDaemon()
        var ratios: [Double] = []
        for repetition in 1...setup.repetitions {
            let alone = try rate(of: 1, of: instances, prefix: "a\(repetition)x", on: bed)
            let together = try rate(of: count, of: instances, prefix: "t\(repetition)x", on: bed)
            ratios.append(together / alone)
            setup.progress("repetition \(repetition): one \(digits(alone)), \(count) \(digits(together)) chunks/s")
        }
        return [Figure("chunks/s: \(count) large jobs at once / one", ratios, .ratio, .atLeast(0.8, goal: 1))]
    }

    /// Chunks a second of so many jobs, from the first that arrives at the simulator to the last.
    private static func rate(of count: Int, of instances: Int, prefix: String, on bed: TestBed) throws -> Double {
        let jobs = try (0..<count).map { job in
            try bed.insert(instances: instances, prefix: "\(prefix)\(job)y", column: "state", value: "'paused'")
        }
        try bed.resetCounts()
        let list = jobs.map(String.init).joined(separator: ",")
        try bed.shell("UPDATE command_jobs SET state = 'running' WHERE id IN (\(list))")
        let chunks = count * ((instances + 31) / 32)
        try bed.wait(every: 0.02) { try bed.executed() >= chunks }
        for job in jobs { try bed.finish(job) }
        return try bed.submissionsPerSecond()
    }
}
