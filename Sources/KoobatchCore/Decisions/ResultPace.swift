/// How long the results of a job have been taking: the estimate that the first look at its next task is timed by.
///
/// Each result that is there by then lowers it a little, each that only a later look finds raises it five times as much, so
/// that it settles where about five of six instances have ended: one query brings most results of a task, the stragglers
/// cost a few more, and one phone that hangs does not make all the others late.
///
/// A first look that finds everything says "at most this" and nothing more. As long as no look has come too early, and again
/// after several such looks in a row, the next one comes after half the time.
///
/// A look counts as made when it was due. That it was made later, because the daemon or the machine was not running or the
/// rate did not allow it, says nothing of how long results take.
public struct ResultPace: Hashable, Sendable {
    private static let lowering = 0.04
    private static let raising = 0.2
    private static let tolerance = 1.02
    /// So many first looks in a row, each timed by the estimate, that find everything: the estimate is far too high.
    private static let completeLooksToHalve = 10
    /// Below this nothing is gained by looking earlier.
    private static let shortest = Duration.milliseconds(1)

    /// From the submission to when results have been there; `nil` until any was seen.
    public private(set) var typical: Duration?
    /// First looks in a row that found everything although the estimate did not put them off for longer than it is now.
    public private(set) var completeLooks: Int

    /// Creates a pace from what is known.
    public init(typical: Duration?, completeLooks: Int = 0) {
        self.typical = typical
        self.completeLooks = completeLooks
    }

    /// Takes in what a look at a task found.
    ///
    /// - Parameters:
    ///   - isFirst: whether nothing is known of the task at an earlier time.
    ///   - due: the age of the task at which the look was due.
    ///   - ended: instances whose result this look brought.
    ///   - size: instances of the task.
    public mutating func looked(isFirst: Bool, due: Duration, ended: Int, of size: Int) {
        let isComplete = isFirst && ended >= size
        if !isComplete { completeLooks = 0 }
        guard ended > 0, size > 0 else { return }
        guard let known = typical else {
            typical = max(isComplete ? due / 2 : due, Self.shortest)
            if isComplete { completeLooks = Self.completeLooksToHalve }
            return
        }
        let share = Double(ended) / Double(size)
        if isFirst || due <= known * Self.tolerance {
            typical = known * (1 - Self.lowering * share)
        } else {
            typical = known + min(due - known, known * Self.raising) * share
        }
        // One that an older estimate put off for longer would have found everything earlier, too.
        if isComplete, due <= known * Self.tolerance {
            completeLooks = min(completeLooks + 1, Self.completeLooksToHalve)
            if completeLooks == Self.completeLooksToHalve { typical = min(typical ?? known, due / 2) }
        }
        typical = typical.map { max($0, Self.shortest) }
    }
}
