import TestSupport
import Testing

@testable import KoobatchStore

@Suite("Yield policy")
struct YieldPolicyTests {
    private let start = ContinuousClock.now
    private let window = YieldPolicy.openingWindow

    private func policy(open: Bool = false, clients: Bool = false) -> YieldPolicy {
        YieldPolicy(isOpenElsewhere: open, hasClients: clients, at: start)
    }

    @Test("lets nothing begin from an open until its close")
    func openAndClose() {
        var policy = policy()
        #expect(policy.pause(wantedSince: start, at: start) == .zero)
        policy.take(.opened, at: start)
        #expect(policy.isOpening(at: start))
        #expect(policy.pause(wantedSince: start, at: start) == window)
        #expect(policy.pause(wantedSince: start, at: start + .milliseconds(15)) == window - .milliseconds(15))
        policy.take(.closed, at: start + .milliseconds(16))
        #expect(!policy.isOpening(at: start + .milliseconds(16)))
        #expect(policy.pause(wantedSince: start, at: start + .milliseconds(16)) == .zero)
    }

    @Test("waits for the second open of a shell, which looks into the file before it opens the database")
    func shell() {
        var policy = policy()
        policy.take(.opened, at: start)
        policy.take(.closed, at: start + .milliseconds(1))
        policy.take(.opened, at: start + .milliseconds(2))
        policy.take(.logOpened, at: start + .milliseconds(4))
        #expect(policy.pause(wantedSince: start, at: start + .milliseconds(5)) == window - .milliseconds(1))
        policy.take(.closed, at: start + .milliseconds(6))
        #expect(policy.pause(wantedSince: start, at: start + .milliseconds(6)) == .zero)
    }

    @Test("waits for each of several that open at once")
    func several() {
        var policy = policy()
        for _ in 0..<3 { policy.take(.opened, at: start) }
        for _ in 0..<2 { policy.take(.closed, at: start + .milliseconds(1)) }
        #expect(policy.isOpening(at: start + .milliseconds(1)))
        policy.take(.closed, at: start + .milliseconds(1))
        #expect(!policy.isOpening(at: start + .milliseconds(1)))
    }

    @Test("does not wait for somebody who is not seen closing the database for longer than the window")
    func window_() {
        var policy = policy()
        policy.take(.opened, at: start)
        #expect(policy.isOpening(at: start + window - .nanoseconds(1)))
        #expect(!policy.isOpening(at: start + window))
        #expect(policy.pause(wantedSince: start, at: start + window) == .zero)
    }

    @Test("waits again for the first statement of a connection that was opened long ago")
    func firstStatement() {
        var policy = policy()
        policy.take(.opened, at: start)
        let later = start + .seconds(60)
        #expect(!policy.isOpening(at: later))
        policy.take(.logOpened, at: later)
        #expect(policy.pause(wantedSince: later, at: later) == window)
        policy.take(.closed, at: later + .milliseconds(1))
        #expect(policy.pause(wantedSince: later, at: later + .milliseconds(1)) == .zero)
    }

    @Test("takes lost notices for an open")
    func overflow() {
        var policy = policy()
        policy.take(.missed, at: start)
        #expect(policy.pause(wantedSince: start, at: start) == window)
    }

    @Test("lets a transaction begin after its longest wait, however many open the database")
    func starvation() {
        var policy = policy()
        var now = start
        var begun = 0
        var wanted = start
        while now < start + .seconds(10) {
            policy.take(.opened, at: now)
            if policy.pause(wantedSince: wanted, at: now) == .zero {
                begun += 1
                wanted = now
            }
            now += .milliseconds(1)
        }
        #expect(begun == 66)
    }

    @Test("takes its share of the time while somebody keeps the database open, and all of it when nobody does")
    func share() {
        var policy = policy(open: true)
        #expect(policy.isKeptOpen)
        var now = start
        var held = Duration.zero
        while now < start + .seconds(10) {
            let pause = policy.pause(wantedSince: now, at: now)
            now += pause
            policy.held(for: YieldPolicy.sharedTarget, at: now + YieldPolicy.sharedTarget)
            now += YieldPolicy.sharedTarget
            held += YieldPolicy.sharedTarget
        }
        let share = held / (now - start)
        #expect(share > YieldPolicy.sharedShare * 0.95 && share < YieldPolicy.sharedShare * 1.05)
        policy.probed(isOpenElsewhere: false, hasClients: false, at: now)
        #expect(!policy.isKeptOpen)
        #expect(policy.pause(wantedSince: now, at: now) == .zero)
    }

    @Test("takes a burst at once beside somebody who keeps the database open")
    func burst() {
        var policy = policy(open: true)
        policy.held(for: YieldPolicy.burst, at: start)
        #expect(policy.pause(wantedSince: start, at: start) == .zero)
        policy.held(for: .microseconds(700), at: start)
        #expect(policy.pause(wantedSince: start, at: start) == .milliseconds(14))
    }

    @Test("never pauses for longer than its bound, however long the lock was held")
    func hang() {
        var policy = policy(open: true)
        for _ in 0..<2 { policy.held(for: .seconds(60), at: start) }
        #expect(policy.pause(wantedSince: start, at: start) == YieldPolicy.longestPause)
        let later = start + YieldPolicy.longestPause
        #expect(policy.pause(wantedSince: start, at: later) == .zero)
    }

    @Test("gives programs of its own nothing beyond their opening")
    func clients() {
        var policy = policy()
        policy.take(.clientOpened, at: start)
        policy.take(.opened, at: start)
        policy.take(.logOpened, at: start)
        #expect(policy.isOpening(at: start))
        let later = start + .seconds(1)
        policy.probed(isOpenElsewhere: true, hasClients: true, at: later)
        #expect(!policy.isKeptOpen)
        // A shell that stays beside it.
        policy.take(.opened, at: later)
        policy.probed(isOpenElsewhere: true, hasClients: true, at: later + window)
        #expect(policy.isKeptOpen)
        // Both go.
        policy.take(.closed, at: later + .seconds(1))
        policy.probed(isOpenElsewhere: true, hasClients: true, at: later + .seconds(1))
        #expect(!policy.isKeptOpen)
        policy.take(.closed, at: later + .seconds(2))
        policy.take(.clientClosed, at: later + .seconds(2))
        policy.probed(isOpenElsewhere: false, hasClients: false, at: later + .seconds(2))
        #expect(!policy.isKeptOpen)
    }

    @Test("knows its own programs that were there before it")
    func earlierClients() {
        var policy = policy(open: true, clients: true)
        #expect(!policy.isKeptOpen)
        policy.probed(isOpenElsewhere: true, hasClients: false, at: start)
        #expect(policy.isKeptOpen)
    }

    @Test("corrects counts that lost notices made wrong")
    func drift() {
        var policy = policy()
        for _ in 0..<200 { policy.take(.opened, at: start) }
        for _ in 0..<3 { policy.take(.clientOpened, at: start) }
        let later = start + window
        policy.probed(isOpenElsewhere: true, hasClients: true, at: later)
        #expect(policy.isKeptOpen)
        policy.probed(isOpenElsewhere: false, hasClients: false, at: later)
        #expect(!policy.isKeptOpen)
        policy.take(.opened, at: later)
        policy.probed(isOpenElsewhere: true, hasClients: false, at: later + window)
        #expect(policy.isKeptOpen)
        policy.take(.closed, at: later + window)
        policy.take(.clientOpened, at: later + window)
        policy.take(.opened, at: later + window)
        policy.probed(isOpenElsewhere: true, hasClients: true, at: later + window + window)
        #expect(!policy.isKeptOpen)
    }

    @Test("goes by the counts where the locks of others cannot be seen")
    func withoutLocks() {
        var policy = policy(open: true)
        policy.take(.closed, at: start)
        policy.probed(isOpenElsewhere: nil, hasClients: false, at: start)
        #expect(!policy.isKeptOpen)
        policy.take(.opened, at: start)
        policy.probed(isOpenElsewhere: nil, hasClients: false, at: start + window)
        #expect(policy.isKeptOpen)
    }

    /// Every sequence of five notices, with and without time between them.
    @Test("keeps its bounds after every sequence of notices", arguments: [0, 25, 101])
    func everySequence(milliseconds: Int) {
        let notices = FileNotice.allCases
        let step = Duration.milliseconds(milliseconds)
        var count = 1
        for _ in 0..<5 { count *= notices.count }
        for number in 0..<count {
            var policy = policy()
            var (now, rest, opens) = (start, number, 0)
            for _ in 0..<5 {
                let notice = notices[rest % notices.count]
                rest /= notices.count
                policy.take(notice, at: now)
                switch notice {
                case .opened, .missed: opens += 1
                case .closed: opens = max(0, opens - 1)
                case .logOpened: opens = max(1, opens)
                case .written, .moved, .clientOpened, .clientClosed: break
                }
                let pause = policy.pause(wantedSince: now, at: now)
                guard pause >= .zero, pause <= window, (pause > .zero) == policy.isOpening(at: now),
                    opens > 0 || pause == .zero, !policy.isKeptOpen,
                    policy.pause(wantedSince: now - YieldPolicy.longestWait, at: now) == .zero
                else { return #expect(Bool(false), "sequence \(number): \(pause), \(policy)") }
                now += step
            }
            guard policy.pause(wantedSince: now, at: now + window) == .zero else {
                return #expect(Bool(false), "sequence \(number) waits for ever: \(policy)")
            }
        }
    }
}
