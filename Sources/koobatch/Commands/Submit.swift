import ArgumentParser
import Foundation
import KoobatchCore
import KoobatchStore

/// `koobatch submit`.
struct Submit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Inserts a job: one command for many instances.",
        usage: "koobatch submit --command <command> (--instances <ids> | --instances-file <file> | -) [<options>]",
        discussion: """
            The instances are typed, or read from a file or from standard input (-): one id a \
            line, where blank lines and lines that begin with # do not count; a column of a \
            CSV file with a header line, called instance_id or id or named by --column; or a \
            JSON array of strings or of objects with instance_id, or such an object a line. The \
            form is recognised; with --input-format csv the first column is taken where none \
            has such a name.

              koobatch submit --command 'ls -l /system' --instances a44uhlf7,efjy72gs
              koobatch submit --command reboot --instances-file phones.csv --wait
              grep eu- phones.txt |
                koobatch submit --command 'pm list packages' - --max-errors 2%
              koobatch results 7 --state failed --format csv |
                koobatch submit --command reboot -
              koobatch submit --command reboot --instances-file phones.txt \\
                --canary 10 --run-at '+2 hours'

            Times are UTC, in any form that SQLite understands (2026-12-01 08:00), or counted \
            from now: '+90 minutes'.
            """
    )

    @Option(help: "The ADB shell command: letters, digits, space and _ . / : -")
    var command: String

    @Option(help: ArgumentHelp("Instance ids, separated by commas.", valueName: "ids"))
    var instances: [String] = []

    @Option(help: ArgumentHelp("A file with the instances.", valueName: "file"), completion: .file())
    var instancesFile: String?

    @Argument(help: ArgumentHelp("- reads the instances from standard input.", valueName: "-"))
    var standardInput: String?

    @Option(help: ArgumentHelp("lines, csv or json, where it is not recognised.", valueName: "format"))
    var inputFormat: InstanceListParser.Format?

    @Option(
        help: ArgumentHelp(
            "The CSV column with the ids, where it is not called instance_id or id.",
            valueName: "name"
        )
    )
    var column: String?

    @Flag(help: "Ignore duplicate ids.")
    var unique = false

    @OptionGroup(title: "Settings of the job") var settings: JobOptions

    @Flag(
        help: "Wait until the job has finished: exit 0 only if it succeeded, 3 if it is paused or on hold."
    )
    var wait = false

    @OptionGroup var limit: WaitOptions

    @Flag(help: "Only check the job; insert nothing.")
    var dryRun = false

    @OptionGroup var output: OutputOptions
    @OptionGroup var common: CommonOptions

    /// Exactly one source of instances.
    func validate() throws {
        if let standardInput, standardInput != "-" {
            throw ValidationError(
                "Unexpected argument '\(standardInput)'; give instances with --instances \(standardInput)"
            )
        }
        let sources = [!instances.isEmpty, instancesFile != nil, standardInput != nil].count { $0 }
        if sources != 1 {
            throw ValidationError("Give the instances once: --instances, --instances-file or -")
        }
        if !wait, limit.duration != nil { throw ValidationError("--wait-timeout is for --wait only") }
        if wait, dryRun { throw ValidationError("--dry-run inserts nothing to --wait for") }
    }

    private var source: InstanceSource {
        if let instancesFile, instancesFile != "-" { return .file(instancesFile) }
        return instances.isEmpty ? .standardInput : .typed(instances)
    }

    func run() async throws {
        try await reporting {
            // Before the instances are read, which a user may be typing.
            let client = try common.client(for: .writing)
            var list = try source.read(with: InstanceListParser(format: inputFormat, column: column))
            if column == nil, let taken = list.column, !InstanceListParser.usualNames.contains(taken.lowercased()) {
                Self.complain("the instances are from the column \(InstanceListError.shown(taken))")
            }
            if unique { list = list.unique() }
            try list.checkDistinct()
            let id = try client.submit(
                command: command,
                instanceIDs: list.ids,
                settings: settings.given,
                paused: settings.paused,
                dryRun: dryRun
            )
            let size = list.ids.count.of("instance")
            let printer = StandardOutput()
            if dryRun {
                try printer.line(output.json ? #"{"id":null}"# : "the job is valid: \(size); nothing is inserted")
                return try printer.flush()
            }
            if output.json, !wait { try printer.line(JSONValue.object([("id", .whole(id.rawValue))]).line) }
            if !output.json {
                let advice = wait ? "" : "; follow it with: koobatch watch \(id.rawValue)\(common.asTyped)"
                try printer.line("job \(id.rawValue): \(size)\(advice)")
            }
            do {
                try printer.flush()
            } catch let failure as Failure {
                throw Failure(code: failure.code, "job \(id.rawValue) is inserted, but \(failure.message)")
            }
            if wait { try await follow(id, client: client, printer: printer) } else { try tellOfDaemon(client) }
        }
    }

    private func follow(_ id: CommandJobID, client: DatabaseClient, printer: StandardOutput) async throws {
        let outcome: JobView.Outcome
        do {
            let view = JobView(id: id, client: client, handle: .standardError, timeout: limit.duration)
            outcome = try await view.follow()
        } catch let interruption as JobFollower.Interrupted {
            try leave(id, client: client, printer: printer)
            throw ExitCode(interruption.status)
        } catch is JobFollower.TimedOut {
            try leave(id, client: client, printer: printer)
            throw limit.failure
        }
        let job = outcome.job
        if output.json {
            try printer.line(job.json.line)
            try printer.flush()
        } else {
            try JobSummary(job: job, client: client, flags: common.asTyped).print(to: printer)
        }
        if let obstacle = outcome.obstacle { throw Failure(code: .needsOperator, obstacle.complaint) }
        if job.state != .succeeded { throw ExitCode(Failure.Code.failure.rawValue) }
    }

    /// Says that a job that is not waited for any more goes on.
    private func leave(_ id: CommandJobID, client: DatabaseClient, printer: StandardOutput) throws {
        if output.json {
            try printer.line(try client.job(id).json.line)
            try printer.flush()
        }
        Self.complain("job \(id.rawValue) goes on; follow it with: koobatch watch \(id.rawValue)\(common.asTyped)")
    }

    private func tellOfDaemon(_ client: DatabaseClient) throws {
        if try !client.isDaemonRunning() {
            Self.complain("the daemon is not running; the job waits until it is: systemctl start koobatch")
        }
    }
}
