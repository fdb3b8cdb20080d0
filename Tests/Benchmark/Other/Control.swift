import ArgumentParser
import Foundation

/// How soon the daemon obeys a user who steers a job from the shell, while its requests are in flight.
struct Control: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "From an UPDATE in the shell to what the API sees of it.")

    @Option(help: "How often each statement is measured.")
    var rounds = 30

    @Option(help: "Seconds by which the API delays its answers.")
    var delay = 0.05

    func run() async throws {
        let bed = try TestBed()
        defer { bed.tearDown() }
        try bed.faults(#"{"rules": [{"on": "submit", "kind": "delay", "seconds": \#(delay)}]}"#)
        try bed.startDaemon()
        let job = try bed.insert(instances: 1_000_000, prefix: "c")
        var figures: [(name: String, seconds: [Double])] = []
        func measure(_ name: String, _ round: () throws -> Double) throws {
            figures.append((name, try (0..<rounds).map { _ in try round() }))
        }
        func isBusy() throws { try bed.wait { try bed.shell("SELECT in_flight > 0 FROM daemon") == "1" } }
        func isIdle() throws { try bed.wait { try bed.shell("SELECT in_flight = 0 FROM daemon") == "1" } }
        var resumed: [Double] = []
        try measure("paused: last request") {
            try isBusy()
            let paused = try bed.time(of: "UPDATE command_jobs SET state = 'paused' WHERE id = \(job)")
            try isIdle()
            let last = try bed.times().last ?? paused
            let running = try bed.time(of: "UPDATE command_jobs SET state = 'running' WHERE id = \(job)")
            try isBusy()
            let first = try bed.wait(for: { try bed.times().first { $0 > running } })
            resumed.append(first - running)
            return max(0, last - paused)
        }
        figures.append(("resumed: first request", resumed))
        var number = 0
        try measure("priority raised: first request of the job") {
            number += 1
            let late = try bed.insert(instances: 320, prefix: "q\(number)x", column: "priority", value: "-1")
            // Time enough for the daemon to know it.
            Thread.sleep(forTimeInterval: 0.2)
            let raised = try bed.time(of: "UPDATE command_jobs SET priority = 9 WHERE id = \(late)")
            return try bed.wait(for: { try bed.times(of: "q\(number)x").first }) - raised
        }
        try measure("cancelled: last request") {
            number += 1
            let other = try bed.insert(instances: 3_200, prefix: "q\(number)x", column: "priority", value: "9")
            _ = try bed.wait(for: { try bed.times(of: "q\(number)x").first })
            let cancelled = try bed.time(of: "UPDATE command_jobs SET state = 'cancelled' WHERE id = \(other)")
            try bed.finish(other)
            return max(0, (try bed.times(of: "q\(number)x").last ?? cancelled) - cancelled)
        }
        for (name, seconds) in figures {
            let sorted = seconds.sorted()
            print(
                "\(name), after the UPDATE: median \(milliseconds(sorted[sorted.count / 2])), longest \(milliseconds(sorted.last ?? 0))"
            )
        }
    }
}

extension TestBed {
    /// When submissions arrived at the simulator, in seconds since 1970 and in order.
    ///
    /// - Parameter prefix: of their first instance.
    fileprivate func times(of prefix: String = "") throws -> [Double] {
        try arrivals(of: prefix).map { Double($0.microseconds) / 1e6 }
    }

    /// Runs a statement and returns when it took effect.
    fileprivate func time(of statement: String) throws -> Double {
        let printed = try shell(
            "BEGIN IMMEDIATE; \(statement); COMMIT; SELECT (julianday('now') - 2440587.5) * 86400.0;"
        )
        guard let time = Double(printed) else { throw Failed(description: printed) }
        return time
    }

    /// Waits until there is a value.
    fileprivate func wait<Value>(for value: () throws -> Value?) throws -> Value {
        var found: Value?
        try wait {
            found = try value()
            return found != nil
        }
        guard let found else { throw Failed(description: "no value") }
        return found
    }
}
