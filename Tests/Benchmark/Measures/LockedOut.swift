import Foundation
import TestSupport

/// Plain inserts from the stock shell, with its busy_timeout of 0, beside a daemon that has all the work it can do.
enum LockedOut: Measure {
    static let name = "shells"
    static let abstract = "plain inserts that meet a locked database, under full load"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let inserts = setup.pick(1_000, quick: 100)
        let seconds = setup.pick(30.0, quick: 3)
        let bed = try TestBed(programs: setup.programs)
        defer { bed.tearDown() }
        try bed.startDaemon()
        var load = Contender.koobatch("load", on: bed)
        let rate = try load.calibrate(seconds: setup.pick(5, quick: 1))
        var refused: [Double] = []
        var rates: [Double] = []
        for _ in 0..<setup.repetitions {
            try bed.resetCounts()
            // As much as the daemon can do in the time without the shells, and half as much again.
            var remaining = Int(rate * (seconds + 5) * 1.5)
            var jobs: [Int] = []
            while remaining > 0 {
                let chunks = min(remaining, Contender.most)
                jobs.append(try bed.insert(instances: 32 * chunks, prefix: "f\(jobs.count)x"))
                remaining -= chunks
            }
            try bed.wait { try bed.executed() > 0 }
            let (before, begin) = (try bed.executed(), ContinuousClock.now)
            var count = 0
            for index in 0..<inserts {
                let due = begin + .seconds(seconds * Double(index) / Double(inserts))
                due.wait()
                let outcome = try Command.run([
                    "sqlite3", bed.database,
                    "INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"s\(index)\"]')",
                ])
                guard outcome.status != 0 else { continue }
                guard outcome.errors.contains("locked") else { throw Failed(description: outcome.errors) }
                count += 1
            }
            let time = begin.duration(to: .now) / .seconds(1)
            refused.append(Double(count))
            rates.append(Double(try bed.executed() - before) / time)
            let list = jobs.map(String.init).joined(separator: ",")
            let unfinished = "FROM command_jobs WHERE finished_at IS NULL"
            guard try bed.holds("SELECT count(*) > 0 \(unfinished) AND id IN (\(list))") else {
                throw Failed(description: "the load ended before the inserts did")
            }
            try bed.shell("UPDATE command_jobs SET state = 'cancelled' WHERE finished_at IS NULL AND id IN (\(list))")
            try bed.wait(every: 0.5) { try bed.holds("SELECT count(*) = 0 \(unfinished)") }
            setup.progress(
                "\(count) of \(inserts) locked out in \(digits(time)) s, \(digits(rates.last ?? 0)) chunks/s meanwhile"
            )
        }
        return [
            Figure(
                "inserts locked out of \(inserts) in \(digits(seconds)) s",
                refused,
                .count,
                .atMost(1, goal: 0)
            ),
            Figure("chunks/s meanwhile", rates, .perSecond),
        ]
    }
}
