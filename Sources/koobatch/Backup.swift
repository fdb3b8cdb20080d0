import ArgumentParser
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

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            let copy = try MaintenanceConnection(path: settings.database).backup(to: file, replacing: force)
            print("\(file): \(copy.jobs) jobs, \(copy.bytes) bytes, schema version \(copy.schemaVersion); checked")
        }
    }
}
