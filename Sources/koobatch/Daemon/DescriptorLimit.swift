import Foundation

/// How many files and connections this process may have open.
enum DescriptorLimit {
    /// What is needed beside connections to the API: the database, the log, the metrics and their scrapers.
    private static let reserve = 128
    /// For each processor, its event loop: three.
    private static let ofProcessor = 3
    /// A request in flight has a connection, and so has a query; one more may lie idle that is not fit for a job whose
    /// requests need fresh ones.
    private static let ofRequest = 3

    /// Raises the soft limit to the hard one: systemd's soft one is 1,024, for programs that use `select(2)`.
    ///
    /// - Returns: the limit in force then.
    static func raised() -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return .max }
        if limit.rlim_cur < limit.rlim_max {
            var wanted = limit
            wanted.rlim_cur = wanted.rlim_max
            // Where this is forbidden, what is there has to do.
            if setrlimit(resource, &wanted) == 0 { limit = wanted }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Why so many requests cannot be in flight under a limit; `nil` if they can.
    static func shortage(
        maxInFlight: Int,
        limit: Int,
        processors: Int = ProcessInfo.processInfo.processorCount
    ) -> String? {
        let others = reserve + ofProcessor * processors
        let needed = ofRequest * maxInFlight + others
        guard needed > limit else { return nil }
        let most = (limit - others) / ofRequest
        let advice = most > 0 ? "set it to \(most) or less, or raise" : "raise"
        return "\(maxInFlight) requests need \(ofRequest) x \(maxInFlight) + \(others) = \(needed) file descriptors,"
            + " and this process may have \(limit); \(advice) LimitNOFILE= of the service (ulimit -Hn) to \(needed)"
    }
}
