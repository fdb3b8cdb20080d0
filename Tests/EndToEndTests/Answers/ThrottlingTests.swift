import Foundation
import TestSupport
import Testing

@Suite("An API that throttles", .programs)
struct ThrottlingTests {
    private static func throttled(_ retryAfter: String) -> String {
        #"{"rules": [{"on": "submit", "kind": "status", "status": 429, "retry_after": "\#(retryAfter)", "times": 1}]}"#
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func httpDate(at seconds: Double) -> String {
        let style = Date.VerbatimFormatStyle(
            format: """
                \(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .padded(4)) \
                \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\
                \(second: .twoDigits) GMT
                """,
            locale: Locale(identifier: "en_US_POSIX"),
            timeZone: .gmt,
            calendar: Calendar(identifier: .gregorian)
        )
        return Date(timeIntervalSince1970: seconds).formatted(style)
    }

    @Test("is obeyed for as long as it asks, in seconds or to a date, at no attempt's cost", arguments: ["1", "date"])
    func retryAfter(value: String) throws {
        let koobatch = try Koobatch()
        try koobatch.configure(settings: "retry: {base_delay: 0.02, max_delay: 60}")
        try koobatch.start()
        // Written once the daemon runs: a date is a moment, and a busy machine takes its time to start.
        let date = (Date.now.timeIntervalSince1970 + 3).rounded(.up)
        try koobatch.simulator.faults(Self.throttled(value == "date" ? Self.httpDate(at: date) : value))
        _ = try koobatch.insert(instances: 96, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|96")
        #expect(try koobatch.shell.run("SELECT max(attempts) FROM chunks") == "1")
        let pause = try koobatch.row(
            """
            SELECT (julianday(finished_at) - 2440587.5) * 86400.0,
                   (julianday((SELECT started_at FROM attempts ORDER BY id LIMIT 1 OFFSET 1)) - 2440587.5) * 86400.0,
                   outcome
              FROM attempts
             WHERE id = 1
            """
        )
        #expect(pause[2] == "throttled")
        let (answered, next) = (try #require(Double(pause[0])), try #require(Double(pause[1])))
        #expect(next >= (value == "date" ? date : answered + 1) - 0.002)
    }

    @Test(
        "is not obeyed beyond retry.max_delay, nor into the past",
        arguments: ["999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"]
    )
    func clamped(value: String) throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(Self.throttled(value))
        try koobatch.start()
        _ = try koobatch.insert(instances: 96, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished(within: .seconds(60))
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|96")
    }

    @Test("is waited for across a restart, and why says until when")
    func restart() throws {
        let koobatch = try Koobatch()
        try koobatch.configure(settings: "retry: {base_delay: 0.02, max_delay: 60}")
        try koobatch.simulator.faults(Self.throttled("3"))
        try koobatch.start()
        _ = try koobatch.insert(instances: 96)
        try koobatch.wait(for: "SELECT paused_until IS NOT NULL FROM daemon")
        let until = try koobatch.shell.run("SELECT paused_until FROM daemon")
        koobatch.crash()
        try koobatch.start()
        #expect(
            try koobatch.row("SELECT blocker, earliest_at FROM why WHERE chunk_id IS NULL") == ["rate_limit", until]
        )
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT min(started_at) >= '\(until)' FROM attempts WHERE id > 1") == "1")
    }

    @Test("charges no attempt, and its limit is learned once, not again after a restart", arguments: [true, false])
    func learned(isNamed: Bool) throws {
        let koobatch = try Koobatch(settings: "poll: {enabled: false}")
        try koobatch.simulator.faults(#"{"limit": {"per_second": 40, "named": \#(isNamed)}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 32 * 80, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, submitted FROM job_status") == "submitted|2560")
        #expect(try koobatch.shell.run("SELECT max(attempts) FROM chunks") == "1")
        #expect(try koobatch.shell.run("SELECT count(*) > 0 FROM attempts WHERE outcome = 'throttled'") == "1")
        let rate = try #require(Double(try koobatch.shell.run("SELECT requests_per_second FROM daemon")))
        if isNamed { #expect((37...40).contains(rate), "\(rate)") }
        koobatch.crash()
        try koobatch.start()
        #expect(Double(try koobatch.shell.run("SELECT requests_per_second FROM daemon")) == rate)
    }
}
