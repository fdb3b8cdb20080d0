/// When the daemon leaves the write lock to others.
///
/// A stock shell has `busy_timeout` 0: an INSERT that meets the daemon's transaction fails at once. A one-shot shell needs
/// a few milliseconds from opening the file to its first lock, longer than a transaction of the daemon takes. So:
///
/// - Nothing begins from an open of the database until its close, at most for `openingWindow`.
/// - While somebody keeps the database open for longer, as an interactive shell does, the daemon takes `sharedShare` of
///   the time, beyond a burst. Our own programs wait for a lock (`ClientMark`), so they count while they open only.
/// - While nobody has it open, nothing waits.
///
/// Bounds: opens delay a transaction by `longestWait` at most, however many there are, and the share by `longestPause`.
/// A user who opens the file without end leaves every stage of the daemon 6 transactions a second.
///
/// A pure value: the times are passed in.
struct YieldPolicy {
    typealias Instant = ContinuousClock.Instant

    /// For how long an open that is not followed by a close keeps transactions from beginning.
    ///
    /// A one-shot shell has closed the database after 5 to 10 ms, on a machine with six times the work that it can do after
    /// 80 ms.
    static let openingWindow = Duration.milliseconds(100)
    /// How long opens can delay one transaction.
    static let longestWait = Duration.milliseconds(150)
    /// The share of the time that the daemon takes while others keep the database open.
    static let sharedShare = 0.05
    /// The time with the lock held that may be taken at once before the share counts.
    static let burst = Duration.milliseconds(5)
    /// How long the share can delay one transaction.
    static let longestPause = Duration.milliseconds(250)
    /// How long a transaction is delayed at most.
    static let longestDelay = max(longestWait, longestPause)
    /// How long a transaction should hold the lock while others keep the database open.
    static let sharedTarget = Duration.microseconds(700)
    /// The same while nobody does: an open ends it all the same.
    static let aloneTarget = Duration.microseconds(2_500)
    /// Opens that are remembered with their time.
    static let rememberedOpens = 64

    /// What is paid for later.
    private static let credit = burst / sharedShare

    /// Opens without a close, oldest first, that were younger than `openingWindow` at the last notice.
    private var opening: [Instant] = []
    /// Opens without a close that are older.
    private var kept: Int
    /// Connections of our own programs.
    private var clients: Int
    private var clientOpenedAt: Instant?
    /// Whether another process has the database open.
    private var isOpenElsewhere: Bool
    /// When the time that was taken is paid for: the generic cell rate algorithm.
    private var paidAt: Instant

    /// Creates the policy of a database that others may have opened before.
    init(isOpenElsewhere: Bool, hasClients: Bool, at now: Instant) {
        self.isOpenElsewhere = isOpenElsewhere
        kept = isOpenElsewhere ? 1 : 0
        clients = hasClients ? 1 : 0
        paidAt = now
    }

    /// Takes a notice of the kernel in.
    ///
    /// Two equal notices in a row can arrive as one (`inotify(7)`), so that the counts are wrong until `probed` corrects
    /// them.
    mutating func take(_ notice: FileNotice, at now: Instant) {
        settle(at: now)
        switch notice {
        case .opened, .missed:
            if opening.count == Self.rememberedOpens {
                opening.removeFirst()
                kept += 1
            }
            opening.append(now)
        case .logOpened:
            // The first statement of a connection, whose open has been counted.
            closed()
            opening.append(now)
        case .closed:
            closed()
        case .clientOpened:
            clients += 1
            clientOpenedAt = now
        case .clientClosed:
            clients = max(0, clients - 1)
        case .written, .moved:
            break
        }
    }

    /// Takes in what the locks of other processes say.
    ///
    /// - Parameters:
    ///   - isOpenElsewhere: whether one has accessed the database; `nil` if that cannot be told, and the counts must do.
    ///   - hasClients: whether one has marked itself as a program of ours.
    mutating func probed(isOpenElsewhere: Bool?, hasClients: Bool, at now: Instant) {
        settle(at: now)
        self.isOpenElsewhere = isOpenElsewhere ?? (kept > 0)
        if !self.isOpenElsewhere { kept = 0 }
        // A program marks itself just after it has opened the file of marks.
        let isMarking = clientOpenedAt.map { $0 + Self.openingWindow > now } ?? false
        if !hasClients, !isMarking { clients = 0 }
    }

    /// Notes that the lock was held for one transaction.
    mutating func held(for time: Duration, at now: Instant) {
        guard isKeptOpen else { return }
        paidAt = min(max(paidAt, now) + time / Self.sharedShare, now + Self.credit + Self.longestPause)
    }

    /// Whether somebody has just opened the database.
    func isOpening(at now: Instant) -> Bool {
        opening.last.map { $0 + Self.openingWindow > now } ?? false
    }

    /// Whether others than our own programs keep the database open.
    ///
    /// Beside our own programs it is the counts that tell of others; without them the locks alone.
    var isKeptOpen: Bool {
        isOpenElsewhere && (clients == 0 || kept > clients)
    }

    /// How long a transaction should hold the lock.
    var transactionTarget: Duration { isKeptOpen ? Self.sharedTarget : Self.aloneTarget }

    /// How long to leave the lock free before it is taken again.
    ///
    /// - Parameter wantedSince: when the transaction was asked for.
    func pause(wantedSince: Instant, at now: Instant) -> Duration {
        var next = now
        if isOpening(at: now), let opened = opening.last {
            next = min(opened + Self.openingWindow, wantedSince + Self.longestWait)
        }
        if isKeptOpen {
            next = max(next, min(paidAt - Self.credit, wantedSince + Self.longestPause))
        }
        return max(.zero, next - now)
    }

    /// A one-shot program closes what it has just opened.
    private mutating func closed() {
        if opening.popLast() == nil { kept = max(0, kept - 1) }
    }

    private mutating func settle(at now: Instant) {
        let settled = opening.prefix { $0 + Self.openingWindow <= now }.count
        guard settled > 0 else { return }
        opening.removeFirst(settled)
        kept += settled
    }
}
