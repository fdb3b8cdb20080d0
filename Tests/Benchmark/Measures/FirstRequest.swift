import Foundation
import TestSupport

/// From the commit of a small job to the arrival of its request at the API, on a daemon that has nothing else to do.
enum FirstRequest: Measure {
    static let name = "latency"
    static let abstract = "commit of an insert to its request"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let bed = try TestBed(programs: setup.programs)
        defer { bed.tearDown() }
        try bed.startDaemon()
        let seed = UInt64.random(in: 0...999_999)
        setup.progress("seed of the pauses: \(seed)")
        var generator = SeededGenerator(seed: seed)
        var often: [[Double]] = []
        var seldom: [[Double]] = []
        for repetition in 0..<setup.repetitions {
            often.append(
                try delays(bed, "o\(repetition)x", inserts: setup.pick(200, quick: 30)) {
                    .random(in: 0.05...0.08, using: &generator)
                }
            )
            seldom.append(try delays(bed, "s\(repetition)x", inserts: setup.pick(30, quick: 3)) { 1 })
        }
        return [("one every 50 to 80 ms", often), ("one a second", seldom)].flatMap { name, runs in
            [
                Figure(
                    "commit to request, \(name): p50",
                    runs.compactMap { $0.quantile(0.5) },
                    .milliseconds,
                    .atMost(4, goal: 2)
                ),
                Figure(
                    "commit to request, \(name): p99",
                    [runs.flatMap(\.self).quantile(0.99) ?? 0],
                    .milliseconds,
                    .atMost(15, goal: 10),
                    note: "of all \(runs.flatMap(\.self).count) inserts; the longest took "
                        + "\(digits(runs.flatMap(\.self).max() ?? 0)) ms"
                ),
            ]
        }
    }

    /// Milliseconds of each insert.
    private static func delays(
        _ bed: TestBed,
        _ prefix: String,
        inserts: Int,
        pause: () -> Double
    ) throws -> [Double] {
        try bed.resetCounts()
        var commits: [String: Int64] = [:]
        var due = ContinuousClock.now
        for index in 0..<inserts {
            due += .seconds(pause())
            due.wait()
            let name = "\(prefix)\(index)x"
            commits[name + "0"] = try bed.timeOfCommit(TestBed.insert(instances: 32, prefix: name))
        }
        try bed.wait(every: 0.1) { try bed.executed() >= inserts }
        return try bed.arrivals(of: prefix).compactMap { arrival in
            commits[arrival.instance].map { Double(arrival.microseconds - $0) / 1_000 }
        }
    }
}
