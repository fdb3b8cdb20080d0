import Synchronization

/// Keeps the daemon's share of the write lock small.
///
/// A user's shell has `busy_timeout` 0: an INSERT that comes while the daemon holds the lock fails at once. How often
/// that happens is the share of time in which the lock is held, so under sustained load the daemon leaves it free for
/// nearly all of the time and does more in each transaction. What follows one INSERT is not delayed.
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

    /// When what was taken so far is paid for: the generic cell rate algorithm.
    private let paidAt: Mutex<ContinuousClock.Instant>

    init(now: ContinuousClock.Instant = .now) {
        paidAt = Mutex(now)
    }

    /// Notes that the lock was held for one transaction.
    func held(for time: Duration, at now: ContinuousClock.Instant) {
        paidAt.withLock { paidAt in
            let price = max(time / Self.share, Self.interval)
            paidAt = min(max(paidAt, now) + price, now + Self.burst + Self.longestPause)
        }
    }

    /// How long to leave the lock free before it is taken again.
    func pause(at now: ContinuousClock.Instant) -> Duration {
        max(.zero, paidAt.withLock { $0 } - now - Self.burst)
    }
}
