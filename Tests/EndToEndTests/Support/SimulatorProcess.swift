import Foundation
import TestSupport
import Testing

/// A `koophone-sim` of the test's own, and what it tells of the truth.
final class SimulatorProcess {
    /// One line of its journal: a submission that reached it.
    struct Entry: Decodable {
        /// When it arrived: UTC with milliseconds.
        let at: String
        let request_id: String
        let command: String
        let instance_ids: [String]
        let executed: Bool
        let task_id: String?
        let jobs: [[String]]
        let answer: String

        /// Task, instance and job of each instance that was accepted.
        var mappings: [[String]] { jobs.map { [task_id ?? "", $0[0], $0[1]] } }
    }

    let endpoint: String
    let child: ChildProcess

    init(in folder: URL, arguments: [String] = []) throws {
        let child = try ChildProcess(
            "koophone-sim",
            ["--port", "0", "--token", Koobatch.token, "--seed", "\(Koobatch.seed)"] + arguments,
            in: folder
        )
        let line = try child.follow(isOutput: true) { $0.contains("\n") }
        let address = line.split(separator: " ").first { $0.hasPrefix("http://") }
        let said = try child.errors
        endpoint = String(try #require(address, "the simulator said: \(line) \(said)"))
        self.child = child
    }

    /// Replaces its fault plan.
    func faults(_ plan: String) throws {
        try curl("-X", "PUT", "--data-binary", plan, "\(endpoint)/sim/faults")
    }

    /// What was executed and answered, in order of arrival.
    func journal() throws -> [Entry] {
        try curl("\(endpoint)/sim/journal").split(separator: "\n")
            .map { try JSONDecoder().decode(Entry.self, from: Data($0.utf8)) }
    }

    /// Counters by name.
    func statistics() throws -> [String: Int] {
        try JSONDecoder().decode([String: Int].self, from: Data(curl("\(endpoint)/sim/stats").utf8))
    }

    @discardableResult
    func curl(_ arguments: String...) throws -> String {
        let outcome = try Command.run(
            ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "60"] + arguments
        )
        try #require(outcome.status == 0, "curl \(arguments): \(outcome.output) \(outcome.errors)")
        return outcome.output
    }
}
