import Foundation
import TestSupport
import Testing

/// A koobatch in the midst of a scenario.
final class CrashScene {
    let koobatch: Koobatch
    let onUnknown: String
    /// The seed of everything that is random about it.
    let seed: UInt64
    /// What people did before this many submissions does not count as a repetition.
    var submissionsBefore = 0
    /// Jobs that may be gone, and will be.
    var deletable: Set<String> = []
    private var platter: Platter?

    init(_ scenario: CrashScenario, onUnknown: String, seed: UInt64) throws {
        koobatch = try Koobatch(settings: scenario.settings)
        (self.onUnknown, self.seed) = (onUnknown, seed)
        try scenario.prepare(self)
        try koobatch.simulator.faults(scenario.faults)
    }

    /// Inserts a job with this `on_unknown`.
    @discardableResult
    func insert(_ instances: Int, prefix: String = "i", columns: [(String, String)] = []) throws -> Int {
        try koobatch.insert(instances: instances, prefix: prefix, columns: [("on_unknown", "'\(onUnknown)'")] + columns)
    }

    /// Runs the program of the scenario, until it has done everything or is stopped at the point.
    ///
    /// - Returns: the program, which has ended, and how often it came by each step if it was not stopped.
    func run(_ scenario: CrashScenario, stoppedAt point: CrashPoint?) throws -> (ChildProcess, [String: Int]?) {
        // From here on what is not synced can be lost.
        platter = point?.loss == .kill ? nil : try Platter(of: koobatch.folder)
        let counts = koobatch.folder.appending(path: "counts")
        let child = try koobatch.program(
            scenario.arguments(self),
            environment: CrashLibrary.environment(
                folder: koobatch.folder,
                point: point,
                platter: platter,
                counts: counts
            )
        )
        try scenario.meanwhile(self, child)
        let status = child.wait()
        if status == -SIGKILL, point != nil { return (child, nil) }
        let said = try child.errors
        try #require(status == 0, "\(status): \(said)")
        return (child, try CrashLibrary.counts(counts))
    }

    /// Has the machine lose its power where the point says so.
    func lose(_ loss: CrashPoint.Loss) throws {
        guard let platter, loss != .kill else { return }
        var generator = SeededGenerator(seed: seed)
        try platter.losePower(torn: loss == .torn, using: &generator)
    }

    /// Statements of a user while the program runs: they survive a loss of power.
    func run(_ statements: String, beside child: ChildProcess) throws {
        guard child.isRunning else { return }
        var shell = koobatch.shell
        shell.environment = try CrashLibrary.environment(folder: koobatch.folder, platter: platter)
        try shell.run(statements)
    }

    /// Runs the daemon until nothing can move any more without an operator, but for jobs that are paused, which are resumed.
    ///
    /// - Returns: the reasons for which jobs were paused.
    func settle() throws -> [String] {
        try koobatch.start()
        let paused = try koobatch.shell.rows(
            "UPDATE command_jobs SET state = 'running' WHERE state = 'paused' RETURNING state_reason"
        )
        try koobatch.wait(
            for: """
                SELECT count(*) = 0
                  FROM command_jobs AS j
                  JOIN job_progress AS p ON p.command_job_id = j.id
                 WHERE (j.finished_at IS NULL
                        AND (p.held_chunks = 0 OR p.waiting_chunks + p.in_flight_chunks > 0 OR p.planned < p.total))
                    -- A deletion goes in steps, and a daemon that ends leaves the rest to the next one.
                    OR j.id IN (\(deletable.joined(separator: ",")))
                """,
            within: .seconds(60)
        )
        #expect(try koobatch.stop() == 0)
        return paused.map { $0[0] }
    }

    /// A copy of the database as it is now, to look at without touching it.
    func copy() throws -> SQLiteShell? {
        guard FileManager.default.fileExists(atPath: koobatch.shell.database) else { return nil }
        try koobatch.sh("rm -rf look; mkdir look; cp koobatch.db* look; rm -f look/koobatch.db-shm")
        return SQLiteShell(database: koobatch.folder.appending(path: "look/koobatch.db").path)
    }
}
