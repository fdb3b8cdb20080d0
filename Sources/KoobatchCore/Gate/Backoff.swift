/// Exponential backoff with full jitter.
///
/// The n-th delay is uniform between 0 and `base · 2ⁿ⁻¹`, the latter capped at `maximum`: of the usual variants the one
/// with the fewest calls under contention
/// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
public struct Backoff: Hashable, Sendable {
    /// The bound of the first delay.
    public let base: Duration
    /// The bound that no delay exceeds.
    public let maximum: Duration

    /// Creates a backoff; `maximum` below `base` counts as `base`.
    public init(base: Duration, maximum: Duration) {
        self.base = base
        self.maximum = max(base, maximum)
    }

    /// The longest that the delay after the given number of failures can be; 1 is the first failure, less counts as 1.
    public func bound(afterFailures failures: Int) -> Duration {
        let doublings = min(max(failures, 1) - 1, 62)
        let seconds = base.inSeconds * Double(1 << doublings)
        return seconds >= maximum.inSeconds ? maximum : .milliseconds(Int64(seconds * 1_000))
    }

    /// The delay after the given number of failures, in whole milliseconds.
    public func delay(afterFailures failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let bound = bound(afterFailures: failures).wholeMilliseconds
        return .milliseconds(Int64.random(in: 0...max(bound, 0), using: &generator))
    }
}
