import Foundation

/// What finished jobs in the file cost the unfinished ones: the throughput in a full file beside that in an empty one.
enum HistoryCost: Measure {
    static let name = "history"
    static let abstract = "throughput in a file of ten million finished instances"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let instances = setup.pick(10_000_000, quick: 200_000)
        let empty = try TestBed(programs: setup.programs, isPolling: false)
        defer { empty.tearDown() }
        let full = try TestBed(programs: setup.programs, isPolling: false, sharing: empty)
        defer { full.tearDown() }
        let begin = ContinuousClock.now
        try full.migrate()
        try History.write(instances: instances, to: full)
        let size = try FileManager.default.attributesOfItem(atPath: full.database)[.size] as? Int ?? 0
        setup.progress("\(instances) instances, \(size >> 20) MiB, written in \(begin.duration(to: .now))")
        try empty.startDaemon()
        try full.startDaemon()
        var contenders = [Contender.koobatch("empty", on: empty), .koobatch("full", on: full)]
        for index in contenders.indices { try contenders[index].calibrate(seconds: setup.pick(5, quick: 1)) }
        for repetition in 0..<setup.repetitions {
            // By turns who is first.
            let order = repetition.isMultiple(of: 2) ? [0, 1] : [1, 0]
            for index in order { try contenders[index].measure() }
        }
        let ratios = zip(contenders[1].rates, contenders[0].rates).map { $0 / $1 }
        return [
            Figure(
                "chunks/s with \(instances) finished instances / empty",
                ratios,
                .ratio,
                .atLeast(0.9, goal: 1),
                note: "full \(digits(contenders[1].rates.quantile(0.5) ?? 0)), "
                    + "empty \(digits(contenders[0].rates.quantile(0.5) ?? 0)) chunks/s; \(size >> 20) MiB"
            )
        ]
    }
}
