import KoobatchCore
import Testing

@testable import KoobatchStore
@testable import koobatch

@Suite
struct ProgressTests {
    private static func job(
        _ state: CommandJobState,
        total: Int = 1_000,
        _ counts: [InstanceState: Int] = [:]
    ) -> JobStatus {
        let start = Timestamp(millisecondsSinceEpoch: 1_600_000_000_000)
        var counts = counts
        counts[.pending] = total - counts.values.reduce(0, +)
        let isFinished = ![.queued, .running, .paused].contains(state)
        return JobStatus(
            id: CommandJobID(rawValue: 7),
            label: nil,
            command: "ls",
            state: state,
            stateReason: nil,
            total: total,
            counts: counts,
            percentDone: 0,
            createdAt: start,
            startedAt: start,
            finishedAt: isFinished ? start + .seconds(12.34) : nil,
            eta: nil
        )
    }

    private static func progress(
        _ job: JobStatus,
        rate: Double? = nil,
        wait: Wait? = nil,
        daemon: Bool = true
    ) -> JobProgress {
        var progress = JobProgress(job, meter: ProgressMeter(), wait: wait, isDaemonRunning: daemon)
        progress.rate = rate
        progress.remaining = rate.map { .seconds(Double(job.total - job.done) / $0) }
        return progress
    }

    private static func wait(_ blocker: String) -> Wait {
        Wait(
            job: CommandJobID(rawValue: 7),
            chunk: nil,
            blocker: blocker,
            explanation: "because of \(blocker)",
            earliestAt: Timestamp("2026-12-01T08:00:00.500Z"),
            requestID: nil
        )
    }

    @Test func `the rate is that of the last seconds`() {
        var meter = ProgressMeter()
        meter.note(done: 0, at: .zero)
        #expect(meter.rate == nil)
        meter.note(done: 10, at: .seconds(0.1))
        #expect(meter.rate == nil, "too early to tell")
        meter.note(done: 100, at: .seconds(10))
        #expect(meter.rate == 10)
        #expect(meter.remaining(50) == .seconds(5))
        for second in 11...60 { meter.note(done: 100 + (second - 10) * 100, at: .seconds(second)) }
        #expect(meter.rate == 100)
        for second in 61...80 { meter.note(done: 5_100, at: .seconds(second)) }
        #expect(meter.rate == nil, "nothing happens")
        meter.note(done: 20, at: .seconds(81))
        meter.note(done: 40, at: .seconds(82))
        #expect(meter.rate == 20, "a job that runs again begins anew")
    }

    @Test func `a line of a log tells where the job is`() {
        let job = Self.job(.running, [.succeeded: 500, .submitted: 64, .failed: 20, .rejected: 1])
        #expect(
            Self.progress(job, rate: 81.4).sentence
                == "job 7 running, 52.1% (521 of 1,000), 81/s, ETA 5.9s, 64 submitted, 20 failed, 1 rejected"
        )
        #expect(Self.progress(Self.job(.queued)).sentence == "job 7 queued, 0.0% (0 of 1,000)")
    }

    @Test func `a live view fits the window, and its bar gives way first`() {
        let job = Self.job(.running, [.succeeded: 500, .submitted: 64])
        func lines(_ width: Int) -> [String] {
            let terminal = Terminal(width: width)
            return Self.progress(job, rate: 81).lines(on: terminal).map { terminal.text($0) }
        }
        #expect(
            lines(100) == [
                "job 7  running  ████████████████████░░░░░░░░░░░░░░░░░░░░  50.0%  500/1,000  81/s  ETA 6.2s",
                "  64 submitted",
            ]
        )
        #expect(lines(64)[0] == "job 7  running  ███████░░░░░░░  50.0%  500/1,000  81/s  ETA 6.2s")
        #expect(lines(40)[0] == "job 7  running  50.0%  500/1,000  81/s …")
        for width in 1...120 { #expect(lines(width).allSatisfy { $0.columns <= width }) }
    }

    @Test func `a bar of a terminal without Unicode is ASCII, and it is full only at the end`() {
        func bar(_ done: Int, isUnicode: Bool) -> String {
            Self.progress(Self.job(.running, [.succeeded: done])).bar(10, isUnicode: isUnicode).map(\.text).joined()
        }
        #expect(bar(500, isUnicode: false) == "#####.....")
        #expect(bar(999, isUnicode: false) == "#########.")
        #expect(bar(999, isUnicode: true) == "█████████▉")
        #expect(bar(1_000, isUnicode: true) == "██████████")
        #expect(bar(0, isUnicode: true) == "░░░░░░░░░░")
        #expect(Self.progress(Self.job(.running, total: 1_000_000, [.succeeded: 999_999])).percent == "99.9%")
    }

    @Test(
        arguments: [
            (nil, true, nil), ("queued", true, nil), ("results", true, nil),
            ("circuit", true, "because of circuit, until 2026-12-01 08:00:00 UTC"),
            ("circuit", false, "the daemon is not running; start it with: systemctl start koobatch"),
        ] as [(String?, Bool, String?)]
    )
    func `what is worth telling is told`(blocker: String?, daemon: Bool, notice: String?) {
        let wait = blocker.map(Self.wait)
        #expect(Self.progress(Self.job(.running), wait: wait, daemon: daemon).notice == notice)
        #expect(Self.progress(Self.job(.succeeded), wait: wait, daemon: daemon).notice == nil, "it is over")
    }

    @Test func `a log gets a line for a state, a tenth, an obstacle, and half a minute`() {
        var plain = PlainProgress()
        func lines(_ progress: JobProgress, _ seconds: Int) -> Int {
            plain.lines(for: progress, at: .seconds(seconds)).count
        }
        func running(_ done: Int, _ blocker: String? = nil) -> JobProgress {
            Self.progress(Self.job(.running, [.succeeded: done]), wait: blocker.map(Self.wait))
        }
        #expect(lines(Self.progress(Self.job(.queued)), 0) == 1)
        #expect(lines(Self.progress(Self.job(.queued)), 1) == 0)
        #expect(lines(running(0), 2) == 1, "another state")
        #expect(lines(running(99), 3) == 0)
        #expect(lines(running(100), 4) == 1, "a tenth")
        #expect(lines(running(150), 33) == 0)
        #expect(lines(running(150), 34) == 1, "half a minute")
        #expect(lines(running(150), 99) == 0, "nothing happened")
        #expect(lines(running(150, "circuit"), 100) == 1, "an obstacle")
        #expect(lines(running(150, "circuit"), 101) == 0)
        #expect(lines(running(150), 102) == 0)
        #expect(lines(running(150, "circuit"), 103) == 1, "the obstacle is back")
    }

    @Test(arguments: [
        (0, "0.0s"), (0.44, "0.4s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m 00s"), (125, "2m 05s"),
        (3_599, "59m 59s"), (11_220, "3h 07m"), (187_200, "2d 04h"), (-3, "0.0s"),
    ])
    func `a length of time is brief`(seconds: Double, text: String) {
        #expect(Duration.seconds(seconds).brief == text)
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_000, "-1,000")])
    func `large numbers are grouped`(number: Int, text: String) {
        #expect(number.grouped == text)
    }

    @Test func `JSON holds any text`() {
        let value = JSONValue.object([
            ("a", .text("\"\\\n\r\t\u{1}\u{7F}é")), ("b", .array([.null, .whole(-1), .number(0.5)])),
            ("c", .object([])),
        ])
        #expect(value.line == #"{"a":"\"\\\n\r\t\u0001"# + "\u{7F}é" + #"","b":[null,-1,0.5],"c":{}}"#)
        #expect(JSONValue.lines([]) == "[]")
        #expect(JSONValue.lines([.whole(1), .whole(2)]) == "[\n1,\n2\n]")
    }
}
