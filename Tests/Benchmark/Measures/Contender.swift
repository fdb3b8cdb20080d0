import Foundation
import TestSupport

/// Somebody who submits chunks to a simulator, among others who do the same in turn.
struct Contender {
    let name: String
    /// The bed whose simulator counts.
    let bed: TestBed
    /// Submits so many chunks of 32, and returns how many are stored with all their ids; nil: it keeps none.
    let submit: (_ chunks: Int) throws -> Int?
    /// How many chunks make a run of the right length; found by the first run, which does not count.
    private(set) var chunks = 200
    private(set) var rates: [Double] = []

    /// Of one job: a million instances.
    static let most = 31_250

    init(_ name: String, on bed: TestBed, _ submit: @escaping (_ chunks: Int) throws -> Int?) {
        self.name = name
        self.bed = bed
        self.submit = submit
    }

    init(_ peer: Peers.Peer, on bed: TestBed) {
        self.init(peer.name, on: bed) { try peer.submit($0, bed) }
    }

    /// Finds out how many chunks take so long, and returns how many a second that is.
    @discardableResult
    mutating func calibrate(seconds: Double) throws -> Double {
        var found = 0.0
        for _ in 0..<2 {
            found = try rate()
            chunks = min(Self.most, max(200, Int(found * seconds)))
        }
        return found
    }

    /// Measures once.
    mutating func measure() throws {
        rates.append(try rate())
    }

    /// Chunks a second, from the first that arrives at the simulator to the last.
    private func rate() throws -> Double {
        try bed.resetCounts()
        let stored = try submit(chunks)
        if let stored, stored < chunks { throw Failed(description: "\(name) stored \(stored) of \(chunks) chunks") }
        return try bed.submissionsPerSecond()
    }
}

extension Contender {
    /// The daemon of a bed, with a job.
    ///
    /// The simulator tells when all is submitted: a look at the database would be part of what is measured.
    static func koobatch(_ name: String, on bed: TestBed) -> Contender {
        Contender(name, on: bed) { chunks in
            let job = try bed.insert(instances: 32 * chunks, prefix: "p")
            try bed.wait(every: 0.02) { try bed.executed() >= chunks }
            try bed.finish(job)
            let stored = "SELECT count(*) FROM chunks WHERE command_job_id = \(job) AND task_id IS NOT NULL"
            return Int(try bed.shell(stored))
        }
    }

    /// The bare client of a build.
    static func client(_ name: String, of programs: URL, on bed: TestBed) -> Contender {
        let program = programs.appending(path: "koobatch-bench").path
        return Contender(name, on: bed) { chunks in
            try bed.run([
                program, "client", "--endpoint", bed.endpoint, "--token-file", bed.tokenFile, "--chunks", "\(chunks)",
            ])
            return nil
        }
    }
}
