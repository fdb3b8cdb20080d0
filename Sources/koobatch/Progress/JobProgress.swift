import KoobatchCore
import KoobatchStore

/// What one look at a job tells, in words and as a bar.
struct JobProgress {
    let job: JobStatus
    /// Instances that come to their end a second.
    var rate: Double?
    /// The time until the end at that rate.
    var remaining: Duration?
    /// What the job waits for, if that is worth telling.
    var notice: String?

    init(_ job: JobStatus, meter: ProgressMeter, wait: Wait?, isDaemonRunning: Bool) {
        self.job = job
        guard !job.isFinished else { return }
        rate = meter.rate
        remaining = meter.remaining(job.total - job.done)
        // Their turn and their results are what jobs wait for while all is well.
        let isOrdinary = wait.map { ["queued", "results"].contains($0.blocker) } ?? true
        if !isDaemonRunning {
            notice = "the daemon is not running; start it with: systemctl start koobatch"
        } else if let wait, !isOrdinary {
            notice = (wait.explanation ?? wait.blocker) + (wait.earliestAt.map { ", until \($0.brief) UTC" } ?? "")
        }
    }

    /// 12.3%, and 100.0% not before the end.
    var percent: String {
        let thousandths = job.total > 0 ? job.done * 1_000 / job.total : 0
        return "\(thousandths / 10).\(thousandths % 10)%"
    }

    /// 81/s; 0.4/s for what is slow.
    var speed: String? {
        rate.map { $0 >= 9.95 ? "\(Int($0.rounded()).grouped)/s" : "\(Int($0 * 10) / 10).\(Int($0 * 10) % 10)/s" }
    }

    /// A bar of so many columns, in eighths where the terminal knows them.
    func bar(_ width: Int, isUnicode: Bool) -> [Span] {
        let fraction = job.total > 0 ? Double(job.done) / Double(job.total) : 0
        let style: Span.Style = job.isFinished ? job.state.style : .cyan
        guard isUnicode else {
            let full = Int(fraction * Double(width))
            return [
                Span(String(repeating: "#", count: full), style), Span(String(repeating: ".", count: width - full)),
            ]
        }
        let eighths = Int(fraction * Double(width * 8))
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        let full = String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
        return [Span(full, style), Span(String(repeating: "░", count: width - full.columns), .dim)]
    }

    /// The instances by state, without those that wait and those that succeeded, which the bar tells.
    private var counts: [Span] {
        let told: [InstanceState] = [.submitted, .failed, .rejected, .unknown, .cancelled]
        let some = told.filter { job[$0] > 0 }
        return some.enumerated().flatMap { index, state in
            [Span(index > 0 ? ", " : ""), Span("\(job[state].grouped) \(state.rawValue)", state.style)]
        }
    }

    /// The lines of a live view.
    func lines(on terminal: Terminal) -> [[Span]] {
        let head = [Span("job \(job.id.rawValue)", .bold), Span("  "), Span(job.state.rawValue, job.state.style)]
        var tail = "  \(percent)  \(job.done.grouped)/\(job.total.grouped)"
        if let speed { tail += "  \(speed)" }
        if let remaining { tail += "  ETA \(remaining.brief)" }
        let used = head.reduce(0) { $0 + $1.text.columns } + tail.columns + 2
        let room = min(40, (terminal.width ?? 80) - used)
        let bar = room >= 8 ? [Span("  ")] + bar(room, isUnicode: terminal.isUnicode) : []
        var lines = [head + bar + [Span(tail)]]
        if !counts.isEmpty, !job.isFinished { lines.append([Span("  ")] + counts) }
        if let notice { lines.append([Span("  " + notice.visible, .yellow)]) }
        return lines
    }

    /// The same in a line of plain text.
    var sentence: String {
        var parts = ["job \(job.id.rawValue) \(job.state.rawValue)"]
        parts.append("\(percent) (\(job.done.grouped) of \(job.total.grouped))")
        if let speed { parts.append(speed) }
        if let remaining { parts.append("ETA \(remaining.brief)") }
        if !counts.isEmpty { parts.append(counts.map(\.text).joined()) }
        return parts.joined(separator: ", ")
    }
}
