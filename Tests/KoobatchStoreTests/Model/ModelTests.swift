import KoobatchCore
import TestSupport
import Testing

/// Whatever the daemon, the API and people do in whatever order: the database against a model of the contract that is written
/// without a look at it, and the story that its tables and views tell.
@Suite("Histories", .database)
struct ModelTests {
    /// Histories of one database; statements that are prepared once make the later ones cheap.
    private static let batch: UInt64 = 200

    @Test("the stages that tests begin with tell a true story")
    func stages() async throws {
        let database = try TestDatabase.current()
        try database.shell.rows(Stages.statements)
        #expect(try await Audit.complaints(database.observer()) == [])
    }

    @Test(
        "in any order, by anybody, does what the contract says and refuses what it forbids",
        arguments: 0..<10 as Range<UInt64>
    )
    func random(batch: UInt64) async throws {
        var history = try ModelHistory(TestDatabase.current())
        for seed in batch * Self.batch..<(batch + 1) * Self.batch {
            guard let divergence = try await history.live(seed: seed, comparingEvery: 5) else { continue }
            // Again, with a look after every step: the shortest history that shows it.
            let database = try TestDatabase()
            defer { withExtendedLifetime(database) {} }
            var again = try ModelHistory(database)
            let first = try await again.live(seed: seed, comparingEvery: 1) ?? divergence
            Issue.record("seed \(seed), after\n\(again.steps.joined(separator: "\n"))\n\(first)")
            return
        }
    }
}
