import ArgumentParser
import KoobatchStore

/// `koobatch migrate`.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Creates the database or upgrades it; safe while the daemon runs."
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            let (from, to) = try Store.migrate(path: settings.database)
            switch from {
            case 0: print("created \(settings.database), schema version \(to)")
            case to: print("\(settings.database) is up to date, schema version \(to)")
            default: print("upgraded \(settings.database) from schema version \(from) to \(to)")
            }
        }
    }
}
