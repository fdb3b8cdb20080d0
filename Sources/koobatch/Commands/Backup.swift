import ArgumentParser
import KoobatchEngine
import KoobatchStore

/// `koobatch backup`.
struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copies the database as it is at one moment and checks the copy; the daemon goes on meanwhile."
    )

    @OptionGroup var common: CommonOptions

    @Argument(help: "The copy.", completion: .file())
    var file: String

    @Flag(help: "Replace the file if it exists.")
    var force = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if file == "-" {
            throw ValidationError("A copy cannot go to standard output; give the name of a file, such as ./-")
        }
    }

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            let copy = try DatabaseClient(path: settings.database, access: .maintaining)
                .backup(to: file, replacing: force, at: EngineTime.system.now)
            let text =
                "\(file): \(copy.jobs.of("job")), \(copy.bytes) bytes, schema version \(copy.schemaVersion); checked"
            try output.print(
                text,
                json: [
                    ("file", .text(file)), ("jobs", .count(copy.jobs)), ("bytes", .count(copy.bytes)),
                    ("schema_version", .count(copy.schemaVersion)),
                ]
            )
        }
    }
}
