import Foundation

/// Chunks a second that are submitted and stored durably, beside others who do the like, one after the other in each
/// repetition; counted at the simulator.
enum Throughput: Measure {
    static let name = "throughput"
    static let abstract = "chunks a second, beside peers"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let bed = try TestBed(programs: setup.programs, isPolling: false)
        defer { bed.tearDown() }
        try bed.startDaemon()
        var contenders = [
            Contender.koobatch("koobatch", on: bed),
            .client("bare client", of: setup.programs, on: bed),
        ]
        var older: TestBed?
        defer { older?.tearDown() }
        if let baseline = setup.baseline {
            let other = try TestBed(programs: baseline, isPolling: false, sharing: bed)
            older = other
            try other.startDaemon()
            contenders.append(.koobatch("koobatch, baseline", on: other))
            contenders.append(.client("bare client, baseline", of: baseline, on: bed))
        }
        let peers = [
            setup.peers.asyncio, setup.peers.huey, setup.peers.xargs, setup.peers.wrk(seconds: setup.pick(4, quick: 1)),
        ]
        contenders += peers.filter { $0.missing == nil }.map { Contender($0, on: bed) }

        for index in contenders.indices {
            try contenders[index].calibrate(seconds: setup.pick(5, quick: 1))
            setup.progress("\(contenders[index].name): runs of \(contenders[index].chunks) chunks")
        }
        for repetition in 1...setup.repetitions {
            for index in contenders.indices { try contenders[index].measure() }
            let rates = contenders.map { "\($0.name) \(digits($0.rates.last ?? 0))" }
            setup.progress("repetition \(repetition): \(rates.joined(separator: ", "))")
        }
        return rows(contenders, peers)
    }

    private static func rows(_ contenders: [Contender], _ peers: [Peers.Peer]) -> [Figure] {
        func ratio(_ name: String, _ one: String, _ other: String, _ target: Figure.Target?) -> Figure? {
            guard let first = contenders.first(where: { $0.name == one }),
                let second = contenders.first(where: { $0.name == other })
            else { return nil }
            return Figure(name, zip(first.rates, second.rates).map { $0 / $1 }, .ratio, target)
        }
        let ratios = [
            ratio("chunks/s: koobatch / asyncio script", "koobatch", "asyncio script", .atLeast(1, goal: 2)),
            ratio("chunks/s: koobatch / bare client", "koobatch", "bare client", .atLeast(0.75, goal: 0.85)),
            ratio(
                "chunks/s: bare client / baseline's",
                "bare client",
                "bare client, baseline",
                .atLeast(1.5, goal: 2)
            ),
            ratio("chunks/s: koobatch / baseline's", "koobatch", "koobatch, baseline", nil),
        ].compactMap(\.self)
        let rates = contenders.map { Figure("chunks/s: \($0.name)", $0.rates, .perSecond) }
        let missing = peers.compactMap { peer in
            peer.missing.map { Figure(missing: "chunks/s: \(peer.name)", because: $0) }
        }
        return ratios + rates + missing
    }
}
