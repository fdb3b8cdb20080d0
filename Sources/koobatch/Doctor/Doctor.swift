import ArgumentParser
import Foundation
import KoobatchStore

/// `koobatch doctor`.
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks for what keeps koobatch from working, and says what to do; exits 1 if it finds a problem.",
        discussion: "Changes nothing, and sends the API one harmless request."
    )

    @OptionGroup var common: CommonOptions

    @Flag(help: "Also hold every index of the database against its table; takes long on a large one.")
    var full = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        try await reporting {
            var findings: [Finding] = []
            for check in checks() {
                let found = await check.findings()
                findings += found
                if !json { for finding in found { print(finding.line) } }
            }
            let problems = findings.count { $0.level == .problem }
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
                print(String(decoding: try encoder.encode(findings), as: UTF8.self))
            }
            if problems > 0 { throw ExitCode(Failure.Code.failure.rawValue) }
        }
    }

    private func checks() -> [any DoctorCheck] {
        let configuration = ConfigurationCheck(common: common)
        let settings = configuration.settings
        let database = settings?.database ?? common.database ?? SettingsKey.database.standard ?? ""
        var checks: [any DoctorCheck] = [
            configuration, LibraryCheck(), FilesCheck(database: database),
            ContentCheck(database: database, full: full), DaemonCheck(database: database),
            SpaceCheck(database: database), LogFileCheck(database: database),
        ]
        if let file = settings?.secretFile { checks.append(CredentialsCheck(file: file)) }
        if let cloud = settings?.cloud { checks.append(EndpointCheck(cloud: cloud)) }
        return checks
    }
}
