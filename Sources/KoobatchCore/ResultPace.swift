/// How long the results of a job have been taking: the estimate that the first look at its next task is timed by.
///
/// Each result that is there by then lowers it a little, each that only a later look finds raises it five times as much, so
/// that it settles where about five of six instances have ended: one query brings most results of a task, the stragglers
/// cost a few more, and one phone that hangs does not make all the others late.
public struct ResultPace: Hashable, Sendable {
    private static let lowering = 0.04
    private static let raising = 0.2
    private static let tolerance = 1.02

    /// From the submission to when results have been there; `nil` until any was seen.
    public private(set) var typical: Duration?

    /// Creates a pace from what is known.
    public init(typical: Duration?) {
        self.typical = typical
    }

    /// Takes in what a look at a task found.
    ///
    /// - Parameters:
    ///   - look: its number, 1 for the first at this task.
    ///   - age: of the task at this look.
    ///   - ended: instances whose result this look brought.
    ///   - size: instances of the task.
    public mutating func looked(_ look: Int, at age: Duration, ended: Int, of size: Int) {
        guard ended > 0, size > 0 else { return }
        guard let known = typical else {
            typical = age
            return
        }
        let share = Double(ended) / Double(size)
        // A first look that comes late tells nothing of how long before it the results were there.
        if look <= 1 || age <= known * Self.tolerance {
            typical = known * (1 - Self.lowering * share)
        } else {
            typical = known + min(age - known, known * Self.raising) * share
        }
    }
}
