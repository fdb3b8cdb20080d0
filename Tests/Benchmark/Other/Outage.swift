import Foundation

/// What an endpoint that is down costs a thousand chunks that wait, and how soon they go on when it is back.
enum Outage {
    private static let chunks = 1_000

    static func measure(seconds: Double) throws {
        let bed = try TestBed()
        defer { bed.tearDown() }
        try bed.startDaemon()
        let undisturbed = try bed.insert(instances: 32 * chunks, prefix: "u")
        try finish(undisturbed, bed)
        let usual = try submission(of: undisturbed, bed)

        bed.stopSimulator()
        let job = try bed.insert(instances: 32 * chunks, prefix: "o", column: "max_attempts", value: "3")
        Thread.sleep(forTimeInterval: seconds)
        let requests = try bed.shell(
            "SELECT count(*) FROM attempts JOIN chunks AS c ON c.id = chunk_id WHERE command_job_id = \(job)"
        )
        let charged = try bed.shell(
            "SELECT count(*), max(attempts) FROM chunks WHERE command_job_id = \(job) AND attempts > 0"
        )
        let back = Date().timeIntervalSince1970
        try bed.startSimulator()
        try finish(job, bed)
        let after = try submission(of: job, bed)
        let failed = try bed.shell("SELECT count(*) FROM chunks WHERE command_job_id = \(job) AND state <> 'finished'")
        let charges = charged.split(separator: "|")
        print(
            "endpoint down for \(seconds) s, \(chunks) chunks waiting: \(requests) requests tried,",
            "\(charges.first ?? "0") chunks charged (at most \(charges.dropFirst().first ?? "0") attempts), \(failed) chunks failed"
        )
        print(
            "back: first chunk accepted after \(milliseconds(after.first - back)), then all in \(milliseconds(after.seconds)),",
            "\(percent(usual.seconds / after.seconds)) of the speed without an outage (\(milliseconds(usual.seconds)))"
        )
    }

    private static func finish(_ job: Int, _ bed: TestBed) throws {
        try bed.wait { try bed.shell("SELECT finished_at IS NOT NULL FROM command_jobs WHERE id = \(job)") == "1" }
    }

    /// When the first chunk of a job was accepted, in Unix time, and how long it took from there to the last.
    private static func submission(of job: Int, _ bed: TestBed) throws -> (first: Double, seconds: Double) {
        let times = try bed.shell(
            """
            SELECT (julianday(min(submitted_at)) - 2440587.5) * 86400.0,
                   (julianday(max(submitted_at)) - julianday(min(submitted_at))) * 86400.0
              FROM chunks
             WHERE command_job_id = \(job)
            """
        ).split(separator: "|").compactMap { Double($0) }
        guard times.count == 2 else { throw Failed(description: "nothing was submitted") }
        return (times[0], times[1])
    }
}
