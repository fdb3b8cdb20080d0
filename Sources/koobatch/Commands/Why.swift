import ArgumentParser
import KoobatchCore
import KoobatchStore

/// `koobatch why`.
struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what jobs and chunks wait for, and the earliest time they can proceed.",
        discussion: """
              koobatch why
              koobatch why 7
              koobatch why 7 --all --json

            A chunk on hold waits for an operator: koobatch release sends it again, koobatch \
            give-up does not. Times are UTC.
            """
    )

    @Argument(help: "The id of a job.")
    var id: CommandJobID?

    @Option(help: "Show at most this many.")
    var limit = 50

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
            let job = try id.map(client.job)
            let waits = try client.waits(of: id, limit: all ? nil : limit + 1)
            let shown = all ? waits[...] : waits.prefix(limit)
            let printer = StandardOutput()
            if output.json {
                try printer.line(JSONValue.lines(shown.map(\.json)))
            } else if let job, waits.isEmpty {
                let end = job.isFinished ? "has finished: \(job.state.rawValue)" : "waits for nothing"
                try printer.line("job \(job.id.rawValue) \(end)")
            } else if waits.isEmpty {
                try printer.line("nothing waits")
            } else {
                try printer.lines(Self.table(shown, ofOneJob: job != nil).lines(for: printer.terminal))
                if waits.count > shown.count { try printer.line("\nand more; --all shows them") }
            }
            try printer.flush()
        }
    }

    /// A table of what is waited for.
    static func table(_ waits: some Sequence<Wait>, ofOneJob: Bool) -> Table {
        var table = Table([
            .number("JOB"), .number("CHUNK"), .fixed("WAITS FOR"), .fixed("UNTIL"), .sentences("WHY"), .text("REQUEST"),
        ])
        for wait in waits {
            table.add([
                Span(ofOneJob ? "" : "\(wait.job.rawValue)"),
                Span(wait.chunk.map { "\($0.rawValue)" } ?? ""),
                Span(wait.blocker, .yellow),
                Span(wait.earliestAt?.brief ?? ""),
                Span(wait.explanation ?? ""),
                Span(wait.requestID ?? ""),
            ])
        }
        return table
    }
}

extension Wait {
    /// The row of `why` as an object with its names.
    var json: JSONValue {
        .object([
            ("command_job_id", .whole(job.rawValue)),
            ("chunk_id", .optional(chunk?.rawValue)),
            ("blocker", .text(blocker)),
            ("explanation", .optional(explanation)),
            ("earliest_at", .optional(earliestAt?.description)),
            ("request_id", .optional(requestID)),
        ])
    }
}
