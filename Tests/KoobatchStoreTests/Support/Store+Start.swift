import KoobatchCore
import KoobatchStore

extension Store {
    /// A daemon starts that finds nothing but what an earlier one left; how many chunks it settled.
    func recover(
        rules: SubmissionRules,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable
    ) async throws -> Int {
        try await begin(pid: 1, version: "1", rules: rules, trusted: now, at: now, generator: generator).recovered
    }

    /// A daemon starts.
    func daemonStarted(pid: Int32, version: String, trusted: Timestamp? = nil, at now: Timestamp) async throws {
        _ = try await begin(
            pid: pid,
            version: version,
            rules: StoreDriver(self).rules,
            trusted: trusted ?? now,
            at: now,
            generator: SystemRandomNumberGenerator()
        )
    }
}
