import Foundation

/// Processor time and write lock of the daemon for every chunk, without results and with them.
enum ChunkCost: Measure {
    static let name = "cost"
    static let abstract = "processor time and write lock a chunk"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let submitted = try Case(setup, isPolling: false)
        defer { submitted.bed.tearDown() }
        let complete = try Case(setup, isPolling: true)
        defer { complete.bed.tearDown() }
        for _ in 0..<setup.repetitions {
            try submitted.measure()
            try complete.measure()
        }
        return [
            Figure("CPU a chunk, submitted", submitted.processor, .microseconds, .atMost(450, goal: 300)),
            Figure("CPU a chunk, with results", complete.processor, .microseconds, .atMost(800, goal: 550)),
            Figure("write lock a chunk, submitted", submitted.lock, .microseconds, .atMost(120, goal: 75)),
            Figure("write lock a chunk, with results", complete.lock, .microseconds, .atMost(120, goal: 75)),
            Figure("chunks/s from insert to last result", complete.rates, .perSecond),
        ]
    }

    /// A daemon that either asks for results or does not.
    private final class Case {
        let bed: TestBed
        private(set) var processor: [Double] = []
        private(set) var lock: [Double] = []
        private(set) var rates: [Double] = []
        private var chunks = 200

        init(_ setup: Setup, isPolling: Bool) throws {
            bed = try TestBed(programs: setup.programs, isPolling: isPolling)
            try bed.startDaemon()
            for _ in 0..<2 {
                try measure()
                // Longer runs: what a job costs once is then a small part.
                chunks = max(200, min(31_250, Int((rates.last ?? 0) * setup.pick(6, quick: 1))))
            }
            (processor, lock, rates) = ([], [], [])
            setup.progress("\(isPolling ? "with results" : "submitted"): jobs of \(chunks) chunks")
        }

        func measure() throws {
            try bed.resetCounts()
            let used = try ProcessUsage(of: bed.daemon)
            let held = try bed.metric("koobatch_transaction_duration_seconds_sum")
            let job = try bed.insert(instances: 32 * chunks, prefix: "c")
            try bed.wait(every: 0.02) { try bed.executed() >= chunks }
            let duration = try bed.finish(job)
            let count = Double(chunks)
            processor.append((try ProcessUsage(of: bed.daemon).seconds - used.seconds) / count * 1e6)
            lock.append((try bed.metric("koobatch_transaction_duration_seconds_sum") - held) / count * 1e6)
            rates.append(count / duration)
        }
    }
}
