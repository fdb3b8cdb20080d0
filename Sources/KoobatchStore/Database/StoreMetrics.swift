import CoreMetrics
import KoobatchCore

/// What the store measures, by way of swift-metrics; the names and what they mean are public.
public struct StoreMetrics: Sendable {
    /// How long a transaction held the write lock.
    public static let transaction = "koobatch_transaction_duration_seconds"
    /// How long the disk took to make commits durable.
    public static let sync = "koobatch_sync_duration_seconds"
    /// How long after it was due the first request of a job was claimed.
    public static let firstRequest = "koobatch_first_request_delay_seconds"
    /// Instances that a query brought the result of.
    public static let results = "koobatch_results_total"

    let transaction = Timer(label: Self.transaction)
    let sync = Timer(label: Self.sync)
    private let firstRequest = Timer(label: Self.firstRequest)
    private let results = Counter(label: Self.results)

    func claimed(_ claims: [ClaimedChunk], at now: Timestamp) {
        for case let due? in claims.map(\.jobDueAt) { firstRequest.record(max(.zero, now - due)) }
    }

    func recorded(_ ended: [Int?]) {
        results.increment(by: ended.reduce(0) { $0 + ($1 ?? 0) })
    }
}

extension Timer {
    func record(_ duration: Duration) {
        recordNanoseconds(Int64(duration / .nanoseconds(1)))
    }

    /// Records how long the body takes, whether it throws or not.
    func timing<Value>(_ body: () throws -> Value) rethrows -> Value {
        let begin = ContinuousClock.now
        defer { record(ContinuousClock.now - begin) }
        return try body()
    }
}
