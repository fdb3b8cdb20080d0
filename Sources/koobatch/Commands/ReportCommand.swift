import ArgumentParser
import KoobatchCore
import KoobatchEngine
import KoobatchReport
import KoobatchStore

/// `koobatch report`.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Writes one self-contained HTML page about a job.",
        discussion: """
            The page is self-contained: mail it, print it, open it on a phone. An \
            existing file is replaced, whole.
            """
    )

    @OptionGroup var common: CommonOptions

    @Argument(help: "The id of the job.")
    var id: Int64

    @Option(name: .shortAndLong, help: "The file to write; - for stdout.")
    var output: String

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            let reader = try DatabaseClient(path: settings.database, access: .reading)
            guard let report = try await reader.report(of: CommandJobID(rawValue: id), at: EngineTime.system.now) else {
                throw Failure(code: .failure, "there is no job \(id) in \(settings.database)")
            }
            let page = ReportPage(report, version: Version.current).html
            if output == "-" {
                let printer = StandardOutput()
                try printer.write(page)
                try printer.flush()
            } else {
                try AtomicFile.write(page, to: output)
            }
        }
    }
}
