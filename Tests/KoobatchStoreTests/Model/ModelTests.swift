import KoobatchCore
import TestSupport
import Testing

/// The database against a model of the contract that is written without a look at it.
@Suite("Steering", .database)
struct ModelTests {
    /// Histories of one database; statements that are prepared once make the later ones cheap.
    private static let batch: UInt64 = 40

    @Test(
        "in any order, by anybody, does what the contract says and refuses what it forbids",
        arguments: 0..<50 as Range<UInt64>
    )
    func random(batch: UInt64) async throws {
        var history = try ModelHistory(TestDatabase.current())
        for seed in batch * Self.batch..<(batch + 1) * Self.batch {
            history.begin(seed: seed)
            for _ in 0..<16 {
                let divergence = try await history.step()
                let story = history.steps.joined(separator: "\n")
                try #require(divergence == nil, "seed \(seed), after\n\(story)\n\(divergence ?? "")")
            }
            let divergence = try await history.end(isAudited: seed % 10 == 0)
            let story = history.steps.joined(separator: "\n")
            try #require(divergence == nil, "seed \(seed), at the end, after\n\(story)\n\(divergence ?? "")")
        }
    }
}
