import Foundation
import Testing

/// Whole exchanges of HTTP, made wrong in every way that a server, a proxy or an attacker can think of, against the program.
///
/// `KOOBATCH_FUZZ_SEED` repeats a run: the n-th answer about the same instances is the same whatever else goes on.
/// `KOOBATCH_FUZZ_ROUNDS` sets how long it runs; a round takes some four seconds.
@Suite("Exchanges that nobody should have, ExchangeFuzz", .programs)
struct ExchangeFuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let roundsOfRun = 6

    @Test(
        "whatever a server answers, nothing is lost, repeated unseen, mistaken or given away, and work goes on after it"
    )
    func fuzz() throws {
        let seed = Self.environment["KOOBATCH_FUZZ_SEED"].flatMap(UInt64.init) ?? Koobatch.seed
        let rounds = Self.environment["KOOBATCH_FUZZ_ROUNDS"].flatMap(Int.init) ?? 4
        print("KOOBATCH_FUZZ_SEED=\(seed) KOOBATCH_FUZZ_ROUNDS=\(rounds)")
        var counts: [String: Int] = [:]
        var exchanges = 0
        var applied: [String: Int] = [:]
        var broken: Set<String> = []
        for first in stride(from: 0, to: rounds, by: Self.roundsOfRun) {
            let part = seed &+ UInt64(first)
            let run = try ExchangeRun(seed: part)
            var complaints: [String] = []
            for round in 0..<min(rounds - first, Self.roundsOfRun) where complaints.isEmpty {
                complaints += try run.round(round, requests: 80, seconds: 2)
            }
            complaints += try run.end()
            exchanges += run.server.truth.exchanges
            counts.merge(run.server.truth.counts, uniquingKeysWith: +)
            applied.merge(run.invariants.applied, uniquingKeysWith: +)
            for complaint in complaints where broken.insert(complaint).inserted && broken.count <= 20 {
                Issue.record("KOOBATCH_FUZZ_SEED=\(part): \(complaint)")
            }
        }
        print("exchanges: \(exchanges)\nmutations: \(Self.list(counts))\ninvariants: \(Self.list(applied))")
    }

    private static func list(_ counts: [String: Int]) -> String {
        let total = counts.values.reduce(0, +)
        return "\(total) (" + counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            + ")"
    }
}
