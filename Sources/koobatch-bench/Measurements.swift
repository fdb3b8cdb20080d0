import Foundation

/// From the start of a user's INSERT to the start of its request, on an idle daemon.
struct Latency {
    let bed: TestBed

    func measure(inserts: Int) throws {
        for index in 0..<inserts {
            let job = try bed.insert(instances: 32, prefix: "l\(index)x")
            try bed.wait { try bed.shell("SELECT finished_at IS NOT NULL FROM command_jobs WHERE id = \(job)") == "1" }
        }
        let sorted = try bed.shell(
            """
            SELECT (julianday(min(a.started_at)) - julianday(j.created_at)) * 86400.0
              FROM command_jobs AS j
              JOIN chunks AS c ON c.command_job_id = j.id
              JOIN attempts AS a ON a.chunk_id = c.id
             GROUP BY j.id
             ORDER BY 1;
            """
        ).split(separator: "\n").compactMap { Double($0) }
        guard !sorted.isEmpty else { return }
        print(
            "insert to request, idle daemon, \(sorted.count) inserts: median \(milliseconds(sorted[sorted.count / 2])),",
            "99th percentile \(milliseconds(sorted[min(sorted.count * 99 / 100, sorted.count - 1)]))"
        )
    }
}

/// What the daemon costs while it has nothing to do.
struct IdleCost {
    let bed: TestBed

    func measure(seconds: Double) throws {
        let before = try bed.daemonCPU()
        Thread.sleep(forTimeInterval: seconds)
        let used = try bed.daemonCPU() - before
        print(
            "idle for \(seconds) s: \(milliseconds(used)) of CPU, \((used / seconds * 10_000).rounded() / 100) % of a core"
        )
    }
}

/// Chunks per second from the insert to the last mapping, and to the last result.
struct Throughput {
    let bed: TestBed

    func measure(instances: Int) throws -> Double {
        let cpuBefore = try bed.daemonCPU()
        let job = try bed.insert(instances: instances, prefix: "t")
        // What a user with a busy_timeout of 0 meets meanwhile.
        var refusals = Refusals()
        try bed.wait {
            try refusals.count { try bed.insert(instances: 1, column: "run_at", value: "'2099-01-01'", patience: 0) }
            return try bed.shell("SELECT finished_at IS NOT NULL FROM command_jobs WHERE id = \(job)") == "1"
        }
        print("inserts that found the database locked, under full load: \(refusals)")
        let fields = try bed.shell(
            """
            SELECT count(*),
                   (julianday(max(submitted_at)) - julianday(j.started_at)) * 86400.0,
                   (julianday(j.finished_at) - julianday(j.started_at)) * 86400.0
              FROM command_jobs AS j
              JOIN chunks AS c ON c.command_job_id = j.id
             WHERE j.id = \(job);
            """
        ).split(separator: "|").compactMap { Double($0) }
        guard fields.count == 3 else { throw TestBed.Failed(description: "no figures") }
        let cpu = try bed.daemonCPU() - cpuBefore
        print(
            "\(instances) instances: \((fields[0] / fields[1]).rounded()) chunks/s until all were submitted,",
            "\((fields[0] / fields[2]).rounded()) chunks/s until all had results;",
            "\(milliseconds(cpu / fields[0])) of CPU a chunk, \(Int(try bed.daemonMemory())) MiB at the peak"
        )
        return fields[0] / fields[1]
    }
}

/// From the start of a daemon after a kill under load to its first request.
struct Restart {
    let bed: TestBed

    func measure() throws {
        var seconds: [Double] = []
        for round in 0..<10 {
            let job = try bed.insert(instances: 20_000, prefix: "k\(round)x")
            try bed.wait {
                try bed.shell("SELECT count(*) > 20 FROM chunks WHERE command_job_id = \(job) AND task_id IS NOT NULL")
                    == "1"
            }
            bed.kill()
            let last = try bed.shell("SELECT max(id) FROM attempts")
            let begin = Date()
            try bed.startDaemon()
            try bed.wait { try bed.shell("SELECT count(*) > 0 FROM attempts WHERE id > \(last)") == "1" }
            let first = try bed.shell(
                "SELECT (julianday(started_at) - 2440587.5) * 86400.0 FROM attempts WHERE id > \(last) LIMIT 1"
            )
            seconds.append((Double(first) ?? 0) - begin.timeIntervalSince1970)
            try bed.wait { try bed.shell("SELECT finished_at IS NOT NULL FROM command_jobs WHERE id = \(job)") == "1" }
        }
        seconds.sort()
        print(
            "killed under load, start to first request: median \(milliseconds(seconds[5])), longest \(milliseconds(seconds[9]))"
        )
    }
}

/// A job of a million instances: its insert, and the views on it while it waits.
struct Views {
    let bed: TestBed

    func measure(instances: Int) throws {
        let begin = ContinuousClock.now
        let job = try bed.insert(instances: instances, prefix: "v", column: "run_at", value: "'2099-01-01'")
        print("insert of \(instances) instances: \(ContinuousClock.now - begin)")
        let timed = try bed.shell(
            ".timer on\nSELECT id, total, pending FROM job_status WHERE id = \(job);\nSELECT count(*), sum(total), sum(pending) FROM job_status;"
        )
        print("job_status on it, one row and all rows:\n\(timed)")
    }
}

/// A loop of small jobs, as a script inserts them, each with the shell's busy_timeout of 0.
struct InsertLoop {
    let bed: TestBed

    func measure(inserts: Int) throws {
        var refusals = Refusals()
        for index in 0..<inserts {
            try refusals.count { try bed.insert(instances: 1, prefix: "s\(index)x", patience: 0) }
        }
        print("inserts that found the database locked, one job after the other: \(refusals)")
    }
}

/// How often a statement was refused because the database was locked.
struct Refusals: CustomStringConvertible {
    private var tries = 0
    private var refused = 0

    var description: String { "\(refused) of \(tries)" }

    mutating func count(_ body: () throws -> Void) throws {
        tries += 1
        do {
            try body()
        } catch let failure as TestBed.Failed where failure.description.contains("locked") {
            refused += 1
        }
    }
}
