import ArgumentParser
import KoobatchStore

/// `koobatch migrate`.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Creates the database or upgrades it; safe while the daemon runs."
    )

    @OptionGroup var output: OutputOptions
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            let lost = try Store.markCopy(path: settings.database)
            let (from, to) = try Store.migrate(path: settings.database)
            let text =
                switch from {
                case _ where lost != nil:
                    "\(settings.database) is a text copy and now marked as a database of koobatch, schema version \(to); what is unfinished comes up paused: look at it with koobatch doctor --full\(Self.text(ofLost: lost))"
                case 0: "created \(settings.database), schema version \(to)"
                case to: "\(settings.database) is up to date, schema version \(to)"
                default: "upgraded \(settings.database) from schema version \(from) to \(to)"
                }
            try output.print(
                text,
                json: [("database", .text(settings.database)), ("from", .count(from)), ("to", .count(to))]
                    + (lost.map { [("jobs_lost", .count($0))] } ?? [])
            )
        }
    }

    private static func text(ofLost jobs: Int?) -> String {
        guard let jobs, jobs > 0 else { return "" }
        let subject = jobs == 1 ? "1 job is missing in the copy; its" : "\(jobs) jobs are missing in the copy; their"
        return "\n\(subject) chunks are left out: look for a better copy"
    }
}
