import KoobatchCore
import KoobatchStore

/// What came of a job, for the end of a view.
struct JobSummary {
    /// How many distinct failures are named.
    private static let clusters = 10

    let job: JobStatus
    let client: DatabaseClient
    /// The flags that other commands need to find the database.
    let flags: String

    /// Prints a sentence, and the commonest failures if there are any.
    func print(to output: StandardOutput) throws {
        let name = "job \(job.id.rawValue)"
        try output.lines([[Span(name + " "), Span(job.state.rawValue, job.state.style), Span(": " + sentence)]])
        let failures = try client.outputs(of: job.id, failures: true, limit: Self.clusters + 1)
        if !failures.isEmpty {
            try output.line()
            try output.lines(Self.table(failures.prefix(Self.clusters)).lines(for: output.terminal))
            if failures.count > Self.clusters { try output.line("and more") }
            try output.line()
            let states = [InstanceState.failed, .rejected, .unknown].filter { job[$0] > 0 }.map(\.rawValue)
            try output.line(
                "all of them: koobatch results \(job.id.rawValue) --state \(states.joined(separator: ","))\(flags)"
            )
        }
        try output.flush()
    }

    /// The counts and the time: 62 of 64 instances succeeded, 1 failed, 1 rejected, in 3.2s.
    private var sentence: String {
        let others: [InstanceState] = [.pending, .submitted, .failed, .rejected, .unknown, .cancelled]
        let counts = others.filter { job[$0] > 0 }.map { "\(job[$0].grouped) \($0.rawValue)" }
        let all = job[.succeeded] == job.total
        let head =
            all ? job.total.of("instance") : "\(job[.succeeded].grouped) of \(job.total.of("instance")) succeeded"
        let time = job.finishedAt.flatMap { job.duration(until: $0) }.map { "in \($0.brief)" }
        return ([head] + counts).joined(separator: ", ") + (time.map { counts.isEmpty ? " \($0)" : ", \($0)" } ?? "")
    }

    /// A table of distinct results.
    static func table(_ clusters: some Sequence<OutputCluster>) -> Table {
        var table = Table([
            .number("INSTANCES"), .fixed("STATE"), .text("ERROR"), .text("OUTPUT"), .text("EXAMPLE"),
        ])
        for cluster in clusters {
            table.add([
                Span("\(cluster.instances)"),
                Span(cluster.state.rawValue, cluster.state.style),
                Span(cluster.errorCode ?? ""),
                Span(cluster.output ?? ""),
                Span(cluster.example),
            ])
        }
        return table
    }
}
