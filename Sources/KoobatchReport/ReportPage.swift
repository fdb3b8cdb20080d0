import KoobatchCore
public import KoobatchStore

/// A report as one HTML page that needs nothing but itself: no script, no picture, no style from elsewhere.
///
/// Below 500 kB whatever is in the report: tables end where they would grow further, and say how much is left.
public struct ReportPage {
    let report: JobReport
    private let version: String

    /// Creates a page.
    ///
    /// - Parameter version: of koobatch, for the foot of the page.
    public init(_ report: JobReport, version: String) {
        self.report = report
        self.version = version
    }

    /// The page.
    public var html: String {
        let job = report.job
        let page: Markup = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <meta name="generator" content="koobatch \(version)">
            <title>\(title)</title>
            <style>
            \(Style.sheet)
            </style>
            </head>
            <body>
            \(Hatch.definitions)\
            <header>
            <p class="brand">koobatch report</p>
            <h1>\(heading)</h1>
            <p class="lead"><span class="state \(job.state.rawValue)"><span aria-hidden="true">\(symbol)</span> \
            \(job.state.rawValue)</span> <code><bdi>\(job.command)</bdi></code></p>
            \(reason)</header>
            <main>
            \(facts)\(outcome)\(overTime)\(durations)\(requests)\(results)\(unsuccessful)</main>
            <footer>As of \(Format.time(report.readAt)) · all times are UTC · koobatch \(version)</footer>
            </body>
            </html>

            """
        return page.html
    }

    private var title: String {
        let name = report.job.label.map { " · \(Format.beginning($0, 80))" } ?? ""
        return "Job \(report.job.id.rawValue)\(name): \(report.job.state.rawValue)"
    }

    private var heading: Markup {
        guard let label = report.job.label, !label.isEmpty else { return "Job \(Int(report.job.id.rawValue))" }
        return "<span class=\"id\">Job \(Int(report.job.id.rawValue))</span> <bdi>\(Format.beginning(label, 300))</bdi>"
    }

    private var reason: Markup {
        guard let reason = report.job.stateReason, !reason.isEmpty else { return .none }
        return "<p class=\"reason\"><bdi>\(Format.beginning(reason, 500))</bdi></p>\n"
    }

    private var symbol: String {
        switch report.job.state {
        case .queued: "…"
        case .running: "▶"
        case .paused: "‖"
        case .succeeded: "✓"
        case .partial: "◐"
        case .failed: "✕"
        case .cancelled: "■"
        case .expired: "⌛"
        case .submitted: "↑"
        }
    }

    private var facts: Markup {
        let job = report.job
        let ended =
            (job.instances.values.reduce(0, +)) - (job.instances[.pending] ?? 0) - (job.instances[.submitted] ?? 0)
        let seconds = job.startedAt.map { max(.zero, (job.finishedAt ?? report.readAt) - $0).inSeconds }
        var facts: [(String, Markup)] = [
            ("Instances", "\(Format.count(job.total))"),
            ("Succeeded", "\(Format.percent(job.instances[.succeeded] ?? 0, of: job.total))"),
        ]
        if let seconds { facts.append((job.finishedAt == nil ? "Running for" : "Took", "\(Format.duration(seconds))")) }
        if let seconds, seconds > 0, ended > 0 {
            let rate = Double(ended) / seconds
            facts.append(("Instances a second", "\(Format.decimal(rate, places: rate < 10 ? 2 : 0))"))
        }
        var times: [(String, Markup)] = [("Inserted", Format.time(job.createdAt))]
        if job.startedAt == nil, job.runAt > job.createdAt { times.append(("Not before", Format.time(job.runAt))) }
        if let started = job.startedAt { times.append(("Started", Format.time(started))) }
        if let finished = job.finishedAt { times.append(("Finished", Format.time(finished))) }
        return "\(Self.list(facts))\(Self.list(times))"
    }

    private static func list(_ facts: [(String, Markup)]) -> Markup {
        return """
            <dl class="facts">\(facts.map { name, value in "<div><dt>\(name)</dt><dd>\(value)</dd></div>" as Markup })</dl>

            """
    }

    private var outcome: Markup {
        "<section aria-labelledby=\"outcome\"><h2 id=\"outcome\">Outcome</h2>\(OutcomeBar(report.job).figure)</section>\n"
    }

    private var overTime: Markup {
        let content: Markup = report.timeline.map { TimelineChart($0).figure } ?? "<p>The job has not started.</p>"
        return "<section aria-labelledby=\"time\"><h2 id=\"time\">Over time</h2>\(content)</section>\n"
    }

    private var durations: Markup {
        let content: Markup = DurationChart(report.durations)?.figure ?? "<p>There is no result yet.</p>"
        return "<section aria-labelledby=\"took\"><h2 id=\"took\">Time to a result</h2>\(content)</section>\n"
    }
}
