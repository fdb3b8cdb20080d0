/// Whether requests wait because this process can make no connection: it has no descriptor or no memory left.
///
/// That is no fault of the API, so the circuit stays as it is; but to try again at once helps nobody. Where some requests
/// still find a connection nothing waits.
public struct ShortagePause: Hashable, Sendable {
    /// Failures in a row from which on requests wait.
    public static let failuresToPause = 8
    /// The longest pause: soon enough after there is room again.
    public static let longest = Duration.seconds(8)

    private var failures = 0
    private var pauses = 0
    /// Until when no request goes; `nil` while there is no shortage.
    public private(set) var until: Timestamp?

    /// Creates one that lets requests go.
    public init() {}

    /// Notes a request that was not sent for want of resources.
    public mutating func failed(at now: Timestamp) {
        failures += 1
        // Those that were under way when the pause began do not make it longer.
        guard failures >= Self.failuresToPause, until.map({ now >= $0 }) ?? true else { return }
        until = now + min(.seconds(1 << min(pauses, 10)), Self.longest)
        pauses += 1
    }

    /// Notes a request that found a connection.
    public mutating func passed() {
        self = ShortagePause()
    }

    /// How many of the requests that are wanted may start now: after a pause one, which finds out.
    public mutating func allowance(of wanted: Int, at now: Timestamp) -> Int {
        guard let until else { return wanted }
        // Where the clock was set back.
        self.until = min(until, now + Self.longest)
        return now >= until ? min(wanted, 1) : 0
    }
}
