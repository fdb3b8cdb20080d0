import Foundation

/// A job of a million instances from its insert to its last result: what the views take, and the space it needs.
///
/// The job runs once; the views are asked once a repetition.
enum MillionJob: Measure {
    static let name = "million"
    static let abstract = "the views on a job of a million instances, and its space"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let instances = setup.pick(1_000_000, quick: 50_000)
        let bed = try TestBed(programs: setup.programs)
        defer { bed.tearDown() }
        try bed.faults(
            #"""
            {"instances": {"m1*": {"output": "done"},
                           "m2*": {"fail": {"error_code": "CPS0005", "error_msg": "Phone not found."}}}}
            """#
        )
        try bed.startDaemon()
        bed.stopDaemon()
        let empty = try size(of: bed.database)
        try bed.startDaemon()
        let job = try bed.insert(instances: instances, prefix: "m")
        try bed.wait { try bed.executed() > 0 }
        func measure(_ query: String) throws -> [Double] {
            try (0..<setup.repetitions).map { _ in try bed.time(query) }
        }
        let status = "SELECT * FROM job_status WHERE id = \(job)"
        let running = try measure(status).map { $0 * 1_000 }
        let duration = try bed.finish(job, within: 3_600)
        setup.progress("finished after \(digits(duration)) s")
        let finished = try measure(status).map { $0 * 1_000 }
        let outputs = try measure("SELECT * FROM outputs WHERE command_job_id = \(job)")
        let one = "instance_id = 'm\(instances / 2)'"
        let instance = try measure("SELECT * FROM instance_status WHERE \(one)")
        let task = try measure("SELECT * FROM task_map WHERE \(one)")
        let memory = try ProcessUsage(of: bed.daemon).peakMebibytes
        bed.stopDaemon()
        let bytes = Double(try size(of: bed.database) - empty) / Double(instances)
        return [
            Figure("job_status of \(instances), running", running, .milliseconds, .atMost(50, goal: 5)),
            Figure("job_status of \(instances), finished", finished, .milliseconds, .atMost(50, goal: 5)),
            Figure("outputs of \(instances), finished", outputs, .seconds, .atMost(3, goal: 1)),
            Figure("instance_status of one instance", instance, .seconds, .atMost(1, goal: 1)),
            Figure("task_map of one instance", task, .seconds, .atMost(1, goal: 1)),
            Figure("database bytes a finished instance", [bytes], .bytes, .atMost(150, goal: 120)),
            Figure("insert to last result of \(instances)", [duration], .seconds),
            Figure("peak memory of that job, to its end", [memory], .mebibytes),
        ]
    }

    /// Of a database that nobody has open.
    private static func size(of path: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    }
}
