import Foundation

/// From the start of a daemon to its first request, after a kill in the midst of a job of a million instances.
enum RestartAfterKill: Measure {
    static let name = "restart"
    static let abstract = "kill -9 with a million instances queued: start to first request"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let instances = setup.pick(1_000_000, quick: 100_000)
        var delays: [Double] = []
        for _ in 0..<setup.repetitions {
            let bed = try TestBed(programs: setup.programs)
            defer { bed.tearDown() }
            try bed.startDaemon()
            try bed.insert(instances: instances, prefix: "k")
            try bed.wait { try bed.executed() >= 20 }
            bed.kill()
            // What was sent before the kill arrives before the reset.
            Thread.sleep(forTimeInterval: 0.2)
            try bed.resetCounts()
            var start = timespec()
            clock_gettime(CLOCK_REALTIME, &start)
            try bed.launchDaemon()
            try bed.wait(for: 120, every: 0.05) { try bed.executed() > 0 }
            let first = try bed.arrivals(limit: 1).first?.microseconds ?? 0
            delays.append(Double(first) / 1_000 - (Double(start.tv_sec) * 1e3 + Double(start.tv_nsec) / 1e6))
        }
        return [
            Figure(
                "kill -9 with \(instances) queued: start to first request",
                delays,
                .milliseconds,
                .atMost(1_000, goal: 200)
            )
        ]
    }
}
