import Foundation

/// How much of a limit of the API is used, and how many requests are throttled, before and after a restart.
enum Limits {
    private static let perSecond = 20
    /// Seconds in which the limit may be learned.
    private static let learning = 10.0

    static func measure(seconds: Double) throws {
        for isNamed in [true, false] {
            for retryAfter in [true, false] {
                let bed = try TestBed()
                defer { bed.tearDown() }
                let plan =
                    #"{"limit": {"per_second": \#(perSecond), "named": \#(isNamed), "retry_after": \#(retryAfter)}}"#
                try bed.faults(plan)
                try bed.startDaemon()
                // Queries share the limit: less than half of these chunks are submitted in the time.
                try bed.insert(instances: 32 * Int(learning + 2 * seconds) * perSecond)
                Thread.sleep(forTimeInterval: learning)
                let before = try stretch(bed, seconds)
                bed.stopDaemon()
                try bed.startDaemon()
                let after = try stretch(bed, seconds)
                print(
                    "limit of \(perSecond) requests a second, \(isNamed ? "named" : "not named"),",
                    "\(retryAfter ? "with" : "without") Retry-After: \(before); after a restart \(after)"
                )
            }
        }
    }

    private static func stretch(_ bed: TestBed, _ seconds: Double) throws -> String {
        let begin = ContinuousClock.now
        let before = try requests(bed)
        Thread.sleep(forTimeInterval: seconds)
        let after = try requests(bed)
        let time = begin.duration(to: .now) / .seconds(1)
        let received = Double(after.received - before.received)
        let throttled = Double(after.throttled - before.throttled)
        let used = percent((received - throttled) / (time * Double(perSecond)))
        return "\(used) used, \((throttled / received * 1_000).rounded() / 10) % of the requests throttled"
    }

    private static func requests(_ bed: TestBed) throws -> (received: Int, throttled: Int) {
        let counts = try bed.counts()
        func sum(_ names: String...) -> Int { names.reduce(0) { $0 + (counts[$1] ?? 0) } }
        return (
            sum("submissions_received", "queries_received"), sum("submissions_throttled", "queries_throttled")
        )
    }
}
