import Foundation
import Testing

/// Everything at once, for as long as is wanted: jobs of every kind, faults of the API, people, clocks that are set, kills.
///
/// `KOOBATCH_SOAK_SECONDS` says how long; `make soak` sets it. `KOOBATCH_SOAK_SEED` repeats the choices of a run, though not the
/// moments at which they are made.
@Suite("A soak", .programs)
struct SoakTests {
    private static let environment = ProcessInfo.processInfo.environment

    @Test(
        "accounts for every instance of every job once after every step, and what it needs stays as it was",
        arguments: [SoakRun.Kind.undisturbed, .killed]
    )
    func soak(kind: SoakRun.Kind) throws {
        let seed = Self.environment["KOOBATCH_SOAK_SEED"].flatMap(UInt64.init) ?? Koobatch.seed
        let seconds = Self.environment["KOOBATCH_SOAK_SECONDS"].flatMap(Int.init) ?? 8
        print("KOOBATCH_SOAK_SEED=\(seed) KOOBATCH_SOAK_SECONDS=\(seconds), \(kind.rawValue)")
        let run = try SoakRun(kind, seed: seed)
        let complaints = try run.run(for: .seconds(seconds))
        print("soak, \(kind.rawValue): \(run.summary)\n\(SoakFigures.table(run.figures))")
        for complaint in complaints { Issue.record("KOOBATCH_SOAK_SEED=\(seed), \(kind.rawValue): \(complaint)") }
    }
}
