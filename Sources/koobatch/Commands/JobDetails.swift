import Foundation
import KoobatchCore
import KoobatchStore

/// Everything about one job, for `koobatch status ID`.
struct JobDetails {
    private let job: JobStatus
    private let settings: [JobSetting]
    private let waits: [Wait]
    private let outputs: [OutputCluster]
    private let limit: Int?
    private let isDaemonRunning: Bool

    /// Reads a job and at most so many of its waits and distinct results.
    init(of id: CommandJobID, limit: Int?, client: DatabaseClient) throws {
        job = try client.job(id)
        settings = try client.settings(of: id)
        // One more tells whether there are more.
        waits = try client.waits(of: id, limit: limit.map { $0 + 1 })
        outputs = try client.outputs(of: id, limit: limit.map { $0 + 1 })
        isDaemonRunning = try client.isDaemonRunning()
        self.limit = limit
    }

    /// The row of `job_status` with the settings, the waits and the outputs.
    var json: JSONValue {
        let known = Set(job.members.map(\.0))
        let values = Dictionary(settings.map { ($0.column, $0.value.json) }) { first, _ in first }
        let others = JobSetting.Column.allCases.filter { !known.contains($0.rawValue) }
        return .object(
            job.members
                + others.map { ($0.rawValue, values[$0] ?? .null) }
                + [
                    ("waits", .array(waits.prefix(limit ?? .max).map(\.json))),
                    ("outputs", .array(outputs.prefix(limit ?? .max).map(\.json))),
                ]
        )
    }

    /// Prints it for people.
    func print(to printer: StandardOutput) throws {
        let terminal = printer.terminal
        try printer.lines(facts(on: terminal))
        if !job.isFinished, !isDaemonRunning {
            try printer.line("\nthe daemon is not running; start it with: systemctl start koobatch")
        }
        if !waits.isEmpty {
            try printer.line()
            try printer.lines(Why.table(waits.prefix(limit ?? .max), ofOneJob: true).lines(for: terminal))
            try tellOfMore(waits.count, printer)
        }
        if !outputs.isEmpty {
            try printer.line()
            try printer.lines(JobSummary.table(outputs.prefix(limit ?? .max)).lines(for: terminal))
            try tellOfMore(outputs.count, printer)
        }
    }

    private func tellOfMore(_ count: Int, _ printer: StandardOutput) throws {
        if let limit, count > limit { try printer.line("and more; --all shows them") }
    }

    private func facts(on terminal: Terminal) -> [[Span]] {
        let progress = JobProgress(job, meter: ProgressMeter(), wait: nil, isDaemonRunning: true)
        var facts: [(String, [Span])] = [("job", [Span("\(job.id.rawValue)", .bold)])]
        facts.append(("command", [Span(job.command.visible)]))
        if let label = job.label { facts.append(("label", [Span(label.visible)])) }
        let reason = job.stateReason.map { " (\($0.visible))" } ?? ""
        facts.append(("state", [Span(job.state.rawValue, job.state.style), Span(reason)]))
        let bar = progress.bar(20, isUnicode: terminal.isUnicode)
        facts.append(("done", bar + [Span(" \(progress.percent) of \(job.total.of("instance"))")]))
        let counts = InstanceState.allCases.filter { job[$0] > 0 }.flatMap { state in
            [Span(", "), Span("\(job[state].grouped) \(state.rawValue)", state.style)]
        }
        facts.append(("instances", Array(counts.dropFirst())))
        facts.append(("created", [Span(job.createdAt.brief)]))
        if let started = job.startedAt { facts.append(("started", [Span(started.brief)])) }
        if let finished = job.finishedAt {
            let time = job.duration(until: finished).map { " (took \($0.brief))" } ?? ""
            facts.append(("finished", [Span(finished.brief + time)]))
        } else if let eta = job.eta {
            facts.append(("ends about", [Span(eta.brief)]))
        }
        for setting in settings where setting.column != .label {
            facts.append((setting.column.rawValue, [Span(setting.value.text.visible)]))
        }
        let width = facts.map(\.0.count).max() ?? 0
        return facts.map { name, value in
            [Span(name + String(repeating: " ", count: width - name.count + 2), .dim)] + value
        }
    }
}

extension JobSetting.Value {
    /// The value for people; a time without its T, Z and milliseconds.
    var text: String {
        switch self {
        case .whole(let number): "\(number)"
        case .number(let number): number == number.rounded() ? "\(Int64(number))" : "\(number)"
        case .text(let text): Timestamp(text)?.brief ?? text
        }
    }

    var json: JSONValue {
        switch self {
        case .whole(let number): .whole(number)
        case .number(let number): .number(number)
        case .text(let text): .text(text)
        }
    }
}

extension OutputCluster {
    /// The row of `outputs` as an object with its names.
    var json: JSONValue {
        .object([
            ("state", .text(state.rawValue)),
            ("error_code", .optional(errorCode)),
            ("output", .optional(output)),
            ("instances", .count(instances)),
            ("example_instance_id", .text(example)),
        ])
    }
}
