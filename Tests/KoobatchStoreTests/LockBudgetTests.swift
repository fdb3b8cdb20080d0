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

    @Test("leaves the lock free for a moment after somebody else's commit, and not for long after many")
    func grace() {
        let budget = LockBudget(now: start)
        budget.foreignChanges(1, at: start)
        budget.foreignChanges(1, at: start)
        #expect(budget.pause(at: start) == .zero, "nobody has committed")
        budget.foreignChanges(2, at: start)
        #expect(budget.pause(at: start) == LockBudget.grace)
        for step in 1...100 { budget.foreignChanges(Int64(2 + step), at: start + .milliseconds(step)) }
        #expect(budget.pause(at: start) == LockBudget.longestGrace)
        #expect(budget.pause(at: start + .milliseconds(100)) == .zero)
        budget.foreignChanges(200, at: start + LockBudget.longestGrace + LockBudget.timeBetweenGraces)
        #expect(budget.pause(at: start + LockBudget.longestGrace + LockBudget.timeBetweenGraces) == LockBudget.grace)
    }
}
