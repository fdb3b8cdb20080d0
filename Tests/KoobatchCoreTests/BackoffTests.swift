import KoobatchCore
import TestSupport
import Testing

@Suite("Backoff")
struct BackoffTests {
    private static let backoff = Backoff(base: .seconds(1), maximum: .seconds(300))

    @Test(
        "doubles its bound up to the maximum",
        arguments: [
            (Int.min, 1), (-1, 1), (0, 1), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (11, 300), (62, 300), (63, 300),
            (64, 300), (65, 300), (1_000, 300), (Int.max, 300),
        ]
    )
    func bound(_ failures: Int, _ seconds: Int) {
        #expect(Self.backoff.bound(afterFailures: failures) == .seconds(seconds))
    }

    @Test("keeps to its bounds at extreme settings")
    func extremes() {
        #expect(Backoff(base: .seconds(10), maximum: .seconds(1)).bound(afterFailures: 5) == .seconds(10))
        #expect(Backoff(base: .zero, maximum: .zero).bound(afterFailures: 5) == .zero)
        #expect(Backoff(base: .milliseconds(1), maximum: .seconds(1)).bound(afterFailures: 10) == .milliseconds(512))
        #expect(Backoff(base: .milliseconds(1), maximum: .seconds(1)).bound(afterFailures: 11) == .seconds(1))
        let century = Duration.seconds(3_155_760_000)
        #expect(Backoff(base: .seconds(1), maximum: century).bound(afterFailures: 100) == century)
    }

    @Test(
        "draws delays from the whole range and never beyond it",
        arguments: [1, 2, 5, 9, 10, 1_000],
        [1, 2] as [UInt64]
    )
    func jitter(_ failures: Int, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bound = Self.backoff.bound(afterFailures: failures)
        let delays = (0..<2_000).map { _ in Self.backoff.delay(afterFailures: failures, using: &generator) }
        #expect(try #require(delays.min()) >= .zero, "seed \(seed)")
        #expect(try #require(delays.max()) <= bound, "seed \(seed)")
        #expect(try #require(delays.min()) < bound / 20, "seed \(seed)")
        #expect(try #require(delays.max()) > bound / 20 * 19, "seed \(seed)")
        let mean = delays.reduce(.zero, +) / delays.count
        #expect(mean > bound / 100 * 45 && mean < bound / 100 * 55, "seed \(seed)")
    }
}
