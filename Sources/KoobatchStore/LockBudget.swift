import Synchronization

/// Keeps the daemon's share of the write lock small.
///
/// A user's shell has `busy_timeout` 0: an INSERT that comes while the daemon holds the lock fails at once. How often
/// that happens is the share of time in which the lock is held, so under sustained load the daemon leaves it free for
/// nearly all of the time and does more in each transaction. What follows one INSERT is delayed by a moment only, in
/// which the next statement of the same script finds the lock free.
final class LockBudget: Sendable {
    /// The share of the write lock that sustained load may take.
    #if DEBUG
        // Without optimisation everything takes ten times as long.
        static let share = 0.5
    #else
        static let share = 0.1
    #endif
    /// The least time from one transaction to the next under sustained load.
    static let interval = Duration.milliseconds(5)
    /// How far ahead of that pace a burst may get.
    static let burst = Duration.milliseconds(300)
    /// The longest pause, so that a disk that hung once, with the lock held, does not hold the daemon up for minutes.
    static let longestPause = Duration.seconds(2)

    /// How long the lock is left free after somebody else's commit: the next statement of the same script comes at once.
    static let grace = Duration.milliseconds(25)
    /// The longest that a script of many statements puts off the daemon, and how long it goes on then before the next.
    static let longestGrace = Duration.milliseconds(50)
    static let timeBetweenGraces = Duration.milliseconds(250)

    private struct State {
        /// When what was taken so far is paid for: the generic cell rate algorithm.
        var paidAt: ContinuousClock.Instant
        /// When the last grace began, and when it ends.
        var graceBegan: ContinuousClock.Instant?
        var graceUntil: ContinuousClock.Instant
        var foreignChanges: Int64?
    }

    private let state: Mutex<State>

    init(now: ContinuousClock.Instant = .now) {
        state = Mutex(State(paidAt: now, graceUntil: now))
    }

    /// Notes that the lock was held for one transaction.
    func held(for time: Duration, at now: ContinuousClock.Instant) {
        state.withLock { state in
            let price = max(time / Self.share, Self.interval)
            state.paidAt = min(max(state.paidAt, now) + price, now + Self.burst + Self.longestPause)
        }
    }

    /// Notes the number that changes whenever another process commits.
    func foreignChanges(_ counter: Int64, at now: ContinuousClock.Instant) {
        state.withLock { state in
            defer { state.foreignChanges = counter }
            guard let last = state.foreignChanges, last != counter else { return }
            if let began = state.graceBegan, now < state.graceUntil {
                state.graceUntil = min(now + Self.grace, began + Self.longestGrace)
            } else if state.graceBegan == nil || now >= state.graceUntil + Self.timeBetweenGraces {
                state.graceBegan = now
                state.graceUntil = now + Self.grace
            }
        }
    }

    /// How long to leave the lock free before it is taken again.
    func pause(at now: ContinuousClock.Instant) -> Duration {
        state.withLock { max(.zero, $0.paidAt - now - Self.burst, $0.graceUntil - now) }
    }
}
