import Foundation
import TestSupport

/// What a user waits for who inserts the largest job there is, with the stock shell.
enum MillionInsert: Measure {
    static let name = "insert"
    static let abstract = "insert of a job of a million instances"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let instances = setup.pick(1_000_000, quick: 100_000)
        var seconds: [Double] = []
        for _ in 0..<setup.repetitions {
            let bed = try TestBed(programs: setup.programs)
            defer { bed.tearDown() }
            try bed.startDaemon()
            let file = bed.folder.appending(path: "insert.sql")
            let statement = TestBed.insert(instances: instances, prefix: "i", column: "run_at", value: "'2099-01-01'")
            try "\(statement);\n".write(to: file, atomically: true, encoding: .utf8)
            let input = try FileHandle(forReadingFrom: file)
            let begin = ContinuousClock.now
            let status = try Command(["sqlite3", bed.database], input: input.fileDescriptor).wait()
            seconds.append(begin.duration(to: .now) / .seconds(1))
            guard status == 0, try bed.holds("SELECT total = \(instances) FROM job_status") else {
                throw Failed(description: "the job is not there")
            }
        }
        return [Figure("insert of \(instances) instances", seconds, .seconds, .atMost(3, goal: 1.5))]
    }
}
