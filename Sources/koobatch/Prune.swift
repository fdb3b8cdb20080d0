import ArgumentParser
import KoobatchCore
import KoobatchEngine
import KoobatchStore

/// `koobatch prune`.
struct Prune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deletes finished jobs past the retention, as the daemon does by itself; safe while it runs."
    )

    @OptionGroup var common: CommonOptions

    @Option(help: "Delete what finished longer ago than this, such as 12h or 30d. (default: retention.finished_jobs)")
    var olderThan: String?

    @Flag(help: "Only say what would be deleted.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard let olderThan, DurationText.seconds(olderThan) == nil else { return }
        throw ValidationError("--older-than: give a time such as 90s, 12h or 30d, not \(olderThan)")
    }

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            guard let age = olderThan.flatMap(DurationText.seconds).map({ .seconds($0) }) ?? settings.engine.retention
            else {
                throw Failure(
                    code: .failure,
                    "retention.finished_jobs is 0, which keeps finished jobs for ever; say --older-than 30d"
                )
            }
            let connection = try MaintenanceConnection(path: settings.database)
            try connection.requireCurrentSchema()
            let cutoff = EngineTime.system.now + (.zero - age)
            let extent =
                try dryRun
                ? connection.prunable(finishedBefore: cutoff) : await connection.prune(finishedBefore: cutoff)
            let verb = dryRun ? "would delete" : "deleted"
            try output.print(
                "\(verb) \(extent.jobs) jobs with \(extent.instances) instances that finished before \(cutoff)",
                json: [
                    ("jobs", .count(extent.jobs)), ("instances", .count(extent.instances)),
                    ("finished_before", .text("\(cutoff)")), ("dry_run", .flag(dryRun)),
                ]
            )
        }
    }
}
