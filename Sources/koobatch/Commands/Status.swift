import ArgumentParser
import KoobatchCore
import KoobatchStore

/// `koobatch status`.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the jobs, or everything about one.",
        discussion: """
            Without an id: unfinished jobs first, then the latest. With an id: the job's \
            settings, its instances by state, what it waits for and its distinct results.

              koobatch status
              koobatch status 7
              koobatch status --all --json

            Times are UTC.
            """
    )

    @Argument(help: "The id of a job.")
    var id: CommandJobID?

    @Option(help: "Show at most this many jobs, or distinct results of one.")
    var limit = 20

    @Flag(help: "Show all of them.")
    var all = false

    @OptionGroup var output: OutputOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit: 1 or more") }
    }

    func run() async throws {
        try await reporting {
            let client = try common.client(for: .reading)
            let printer = StandardOutput()
            if let id {
                let report = try JobDetails(of: id, limit: all ? nil : limit, client: client)
                if output.json { try printer.line(report.json.line) } else { try report.print(to: printer) }
            } else {
                try list(client, printer)
            }
            try printer.flush()
        }
    }

    private func list(_ client: DatabaseClient, _ printer: StandardOutput) throws {
        let jobs = try client.jobs(limit: all ? nil : limit)
        if output.json { return try printer.line(JSONValue.lines(jobs.map(\.json))) }
        if jobs.isEmpty { return try printer.line("there is no job yet; insert one with: koobatch submit") }
        try printer.lines(Self.table(jobs).lines(for: printer.terminal))
        let others = try client.jobCount() - jobs.count
        if others > 0 { try printer.line("\nand \(others.of("more job")); --all shows them") }
        if jobs.contains(where: { !$0.isFinished }), try !client.isDaemonRunning() {
            try printer.line("\nthe daemon is not running; start it with: systemctl start koobatch")
        }
    }

    private static func table(_ jobs: [JobStatus]) -> Table {
        let counted: [InstanceState] = [.succeeded, .failed, .rejected, .unknown, .cancelled]
        var table = Table(
            [
                .number("ID"), .fixed("STATE"), .text("LABEL").sacrificed(4), .text("COMMAND"), .number("TOTAL"),
                .number("DONE"),
            ]
                + counted.map { state in
                    // What went wrong is worth more than what went right, which DONE says too.
                    .number(state.rawValue.uppercased())
                        .sacrificed(state == .cancelled ? 5 : state == .succeeded ? 3 : state == .rejected ? 2 : 1)
                } + [.fixed("CREATED").sacrificed(6)]
        )
        for job in jobs {
            let counts = counted.map { state in
                Span(job[state] > 0 ? "\(job[state])" : "", state == .succeeded ? .plain : state.style)
            }
            let progress = JobProgress(job, meter: ProgressMeter(), wait: nil, isDaemonRunning: true)
            table.add(
                [
                    Span("\(job.id.rawValue)"),
                    Span(job.state.rawValue, job.state.style),
                    Span(job.label ?? ""),
                    Span(job.command),
                    Span("\(job.total)"),
                    Span(progress.percent),
                ] + counts + [Span(job.createdAt.brief)]
            )
        }
        return table
    }
}
