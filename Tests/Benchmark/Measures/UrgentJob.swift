import Foundation

/// How long an urgent job waits beside a job of a million instances that is being planned and sent, and what memory the
/// daemon needs meanwhile.
enum UrgentJob: Measure {
    static let name = "urgent"
    static let abstract = "an urgent job beside one of a million instances; memory"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let instances = setup.pick(1_000_000, quick: 100_000)
        let urgent = setup.pick(8, quick: 4)
        var medians: [Double] = []
        var longest: [Double] = []
        var memory: [Double] = []
        for _ in 0..<setup.repetitions {
            let bed = try TestBed(programs: setup.programs)
            defer { bed.tearDown() }
            try bed.startDaemon()
            let job = try bed.insert(instances: instances, prefix: "m")
            var delays: [Double] = []
            for index in 0..<urgent where try bed.executed() * 32 < instances {
                let statement = TestBed.insert(instances: 32, prefix: "u\(index)x", column: "priority", value: "9")
                let committed = try bed.timeOfCommit(statement)
                var first: TestBed.Arrival?
                try bed.wait(every: 0.25) {
                    first = try bed.arrivals(of: "u\(index)x", limit: 1).first
                    return first != nil
                }
                delays.append(Double((first?.microseconds ?? 0) - committed) / 1_000)
                // The next user comes when the daemon is with the large job alone again.
                Thread.sleep(forTimeInterval: 0.25)
            }
            memory.append(try ProcessUsage(of: bed.daemon).peakMebibytes)
            let isFinished = try bed.holds("SELECT finished_at IS NOT NULL FROM command_jobs WHERE id = \(job)")
            setup.progress(
                "\(delays.map(digits).joined(separator: ", ")) ms; the large job \(isFinished ? "has finished" : "goes on")"
            )
            medians += [delays.quantile(0.5)].compactMap(\.self)
            longest += [delays.max()].compactMap(\.self)
        }
        return [
            Figure("urgent job beside \(instances): its first request", medians, .milliseconds, .atMost(100, goal: 20)),
            Figure("the same, the longest of \(urgent)", longest, .milliseconds),
            Figure("peak memory meanwhile", memory, .mebibytes, .atMost(96, goal: 64)),
        ]
    }
}
