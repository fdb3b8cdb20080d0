import Foundation
import TestSupport
import Testing

/// What a scenario asks of the simulator's journal and of the database.
extension Koobatch {
    /// Runs a statement of a user and returns how many requests had been claimed when it took effect.
    func attempts(at statement: String) throws -> Int {
        let printed = try shell.run("BEGIN IMMEDIATE; \(statement); SELECT count(*) FROM attempts; COMMIT;")
        return try #require(Int(printed))
    }

    /// How often each instance was given the command.
    func executions() throws -> [String: Int] {
        let names = try simulator.journal().filter(\.executed).flatMap(\.instance_ids)
        return Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
    }

    /// The journal without the requests that were claimed first.
    func journal(after attempts: Int) throws -> [SimulatorProcess.Entry] {
        let earlier = Set(try shell.rows("SELECT request_id FROM attempts WHERE id <= \(attempts)").map { $0[0] })
        return try simulator.journal().filter { !earlier.contains($0.request_id) }
    }

    /// The most requests among these that were out at once, where each is out for the seconds given.
    func peak(of entries: [SimulatorProcess.Entry], seconds: Double) throws -> Int {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let times = try entries.map { try style.parse($0.at).timeIntervalSince1970 }.sorted()
        return times.map { begin in times.count { $0 >= begin && $0 < begin + seconds } }.max() ?? 0
    }

    /// The counts of a job that are not 0, such as `succeeded 62, failed 2`.
    func counts(_ job: Int = 1) throws -> String {
        let states = ["pending", "submitted", "succeeded", "failed", "unknown", "cancelled", "rejected"]
        let columns = try shell.run("SELECT \(states.joined(separator: ", ")) FROM job_status WHERE id = \(job)")
        return zip(states, columns.split(separator: "|")).filter { $0.1 != "0" }.map { "\($0.0) \($0.1)" }
            .joined(separator: ", ")
    }

    /// The database tells one story, and it is the simulator's.
    func expectTruth(answersMayBeLost: Bool = false) throws {
        let truth = Truth(koobatch: self)
        try truth.expectIntegrity()
        try truth.expectCountsAddUp()
        try truth.expectEveryRequestIsAnAttempt()
        try truth.expectMappingsMatchJournal(answersMayBeLost: answersMayBeLost)
    }
}
