import Testing

@testable import KoobatchStore

@Suite("Lock budget")
struct LockBudgetTests {
    private let start = ContinuousClock.now

    @Test("leaves the lock free in proportion, once a burst is used up")
    func pace() {
        let budget = LockBudget(now: start)
        budget.held(for: LockBudget.burst * LockBudget.share, at: start)
        #expect(budget.pause(at: start) == .zero)
        budget.held(for: .seconds(1) * LockBudget.share, at: start)
        #expect(budget.pause(at: start) == .seconds(1))
        #expect(budget.pause(at: start + .milliseconds(400)) == .milliseconds(600))
    }

    @Test("never pauses for long, however long the lock was held")
    func hang() {
        let budget = LockBudget(now: start)
        budget.held(for: .seconds(60), at: start)
        budget.held(for: .seconds(60), at: start)
        #expect(budget.pause(at: start) == LockBudget.longestPause)
    }
}
