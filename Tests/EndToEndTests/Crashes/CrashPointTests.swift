import Foundation
import TestSupport
import Testing

/// The program stopped at every step of its work, with and without a loss of power, against the journal of the simulator.
///
/// `KOOBATCH_CRASH_POINTS` is at how many places each scenario is stopped, for each `on_unknown`: a number, `each` for every
/// step once on both sides and with each loss, `all`, or a step such as `submit-write` for every place of it.
/// `KOOBATCH_CRASH_SEED` repeats their choice, `KOOBATCH_CRASH_ONLY` is how the names of the scenarios begin.
@Suite("Crash points", .programs)
struct CrashPointTests {
    /// A scenario with one `on_unknown`.
    struct Case: Sendable, CustomTestStringConvertible {
        let scenario: CrashScenario
        let onUnknown: String

        var testDescription: String { "\(scenario.name), \(onUnknown)" }
    }

    private static let environment = ProcessInfo.processInfo.environment
    private static let points = environment["KOOBATCH_CRASH_POINTS"]
    private static let seed = environment["KOOBATCH_CRASH_SEED"].flatMap(UInt64.init) ?? Koobatch.seed
    private static let policies = ["retry", "hold", "fail"]
    private static let matrix = CrashMatrix()

    /// On demand every scenario with each `on_unknown`; else each with one.
    private static let cases = CrashScenario.all.enumerated().flatMap { index, scenario in
        policies.enumerated()
            .filter { points != nil || $0.offset == (index + Int(seed % 3)) % 3 }
            .map { Case(scenario: scenario, onUnknown: $0.element) }
    }.filter { $0.scenario.name.hasPrefix(environment["KOOBATCH_CRASH_ONLY"] ?? "") }

    @Test("nothing is lost and nothing repeated unseen, wherever the program or the machine stops", arguments: cases)
    func stops(_ test: Case) throws {
        defer { Self.matrix.finish(test.scenario.name, test.onUnknown, of: Self.cases.count) }
        // What an undisturbed run comes by.
        let first = try CrashScene(test.scenario, onUnknown: test.onUnknown, seed: Self.seed)
        let counts = try #require(try first.run(test.scenario, stoppedAt: nil).1)
        // The same places for each `on_unknown`.
        var generator = SeededGenerator(seed: test.scenario.name.utf8.reduce(Self.seed) { $0 &* 31 &+ UInt64($1) })
        let places =
            switch Self.points {
            case nil: CrashPoint.some(3, of: counts, using: &generator)
            case "each": CrashPoint.each(of: counts, using: &generator)
            case "all": CrashPoint.all(of: counts).shuffled(using: &generator)
            case let points?:
                if let count = Int(points) {
                    CrashPoint.some(count, of: counts, using: &generator)
                } else {
                    CrashPoint.all(of: counts).filter { $0.step == points }.shuffled(using: &generator)
                }
            }
        for place in places {
            let verdict = try Self.run(test, stoppedAt: place, seed: generator.next())
            for complaint in verdict.complaints.prefix(5) {
                Issue.record("KOOBATCH_CRASH_SEED=\(Self.seed) \(test.testDescription): \(place): \(complaint)")
            }
        }
    }

    /// Stops the program once, has the next one go on to the end, and looks what it has cost.
    private static func run(_ test: Case, stoppedAt point: CrashPoint, seed: UInt64) throws -> CrashVerdict {
        let scene = try CrashScene(test.scenario, onUnknown: test.onUnknown, seed: seed)
        var verdict = CrashVerdict()
        var isStopped = false
        do {
            var jobs = try scene.jobs()
            let (child, counts) = try scene.run(test.scenario, stoppedAt: point)
            isStopped = counts == nil
            try scene.lose(point.loss)
            try verdict.look(at: scene, after: child)
            try test.scenario.afterwards(scene)
            if jobs.isEmpty { jobs = try scene.jobs() }
            let paused = try scene.settle()
            if !test.scenario.isCopy {
                for reason in paused where reason.contains("restored") { verdict.add("came up paused: \(reason)") }
            }
            try verdict.conclude(test.scenario, scene, jobs: jobs)
            // A line that was never told of and is torn is kept for an operator, who moves it away.
            if point.loss == .torn { try scene.koobatch.sh("rm -f koobatch.db.spool.rejected") }
            let doctor = try scene.koobatch.run(["doctor", "--full"])
            if doctor.status != 0 { verdict.add("koobatch doctor: \(doctor.output) \(doctor.errors)") }
            let truth = Truth(koobatch: scene.koobatch)
            try truth.expectIntegrity()
            try truth.expectCountsAddUp()
        } catch {
            verdict.add("\(error)")
        }
        let cell = CrashMatrix.Cell(
            scenario: test.scenario.name,
            onUnknown: test.onUnknown,
            step: point.step,
            loss: "\(point.loss)"
        )
        matrix.add(verdict, isStopped: isStopped, to: cell)
        return verdict
    }
}

extension CrashScene {
    /// The jobs of the database, with the instances of each.
    func jobs() throws -> [String: String] {
        guard FileManager.default.fileExists(atPath: koobatch.shell.database),
            try koobatch.shell.run("SELECT count(*) FROM sqlite_schema WHERE name = 'job_status'") == "1"
        else { return [:] }
        let rows = try koobatch.shell.rows("SELECT id, total FROM job_status")
        return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
    }
}
