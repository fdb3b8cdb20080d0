/// Divides free places among the jobs that want them.
public enum FairShare {
    /// A job that has chunks to send.
    public struct Claimant: Hashable, Sendable {
        /// The job.
        public let job: CommandJobID
        /// Higher goes first.
        public let priority: Int
        /// Chunks that it may send now; `nil` is no bound.
        public let room: Int?

        /// Creates a claimant.
        public init(job: CommandJobID, priority: Int, room: Int?) {
            self.job = job
            self.priority = priority
            self.room = room
        }
    }

    /// What each claimant of one priority may take of `places`, in the order given, least recently served first.
    ///
    /// Places go round one by one, so that shares differ by at most one unless a claimant has less room. A claimant may
    /// turn out to want fewer: call again with what is left. Claimants with nothing are left out.
    public static func shares(of places: Int, among claimants: [Claimant]) -> [(job: CommandJobID, places: Int)] {
        var granted = Array(repeating: 0, count: claimants.count)
        var left = places
        var open = claimants.indices.filter { (claimants[$0].room ?? places) > 0 }
        while left > 0, !open.isEmpty {
            let each = max(left / open.count, 1)
            for index in open where left > 0 {
                let share = min(each, left, (claimants[index].room ?? places) - granted[index])
                granted[index] += share
                left -= share
            }
            open.removeAll { granted[$0] >= (claimants[$0].room ?? places) }
        }
        return zip(claimants, granted).filter { $0.1 > 0 }.map { ($0.0.job, $0.1) }
    }
}
