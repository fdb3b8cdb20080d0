import Foundation

/// What the daemon costs while it has nothing to do.
enum IdleCost: Measure {
    static let name = "idle"
    static let abstract = "processor time and wake-ups with nothing to do"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let bed = try TestBed(programs: setup.programs)
        defer { bed.tearDown() }
        try bed.startDaemon()
        // A daemon that has worked before: connections, threads and a finished job are there.
        try bed.finish(try bed.insert(instances: 320))
        // Until it has done what follows a job.
        Thread.sleep(forTimeInterval: setup.pick(15, quick: 2))
        // Whole rounds of what the daemon does every ten seconds.
        let seconds = setup.pick(20, quick: 10)
        var shares: [Double] = []
        var wakeUps: [Double] = []
        for _ in 0..<setup.repetitions {
            let begin = ContinuousClock.now
            let first = try ProcessUsage(of: bed.daemon)
            var (last, count) = (first, 0)
            for _ in 0..<seconds {
                // The time is what is measured; a look a second, because threads that end take their counts with them.
                Thread.sleep(forTimeInterval: 1)
                let now = try ProcessUsage(of: bed.daemon)
                count += now.wakeUps(since: last)
                last = now
            }
            let time = begin.duration(to: .now) / .seconds(1)
            shares.append((last.seconds - first.seconds) / time * 100)
            wakeUps.append(Double(count) / time)
        }
        return [
            Figure("idle: share of a core", shares, .percent, .atMost(0.1, goal: 0.05)),
            Figure("idle: wake-ups", wakeUps, .perSecond, .atMost(5, goal: 2)),
        ]
    }
}
