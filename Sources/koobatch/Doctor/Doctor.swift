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
            let printer = StandardOutput()
            var findings: [Finding] = []
            for check in checks() {
                let found = Self.news(await check.findings(), after: findings)
                findings += found
                if json { continue }
                for finding in found { try printer.line(finding.text(width: printer.terminal.width)) }
                try printer.flush()
            }
            let problems = findings.count { $0.level == .problem }
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
                try printer.line(String(decoding: try encoder.encode(findings), as: UTF8.self))
                try printer.flush()
            }
            if problems > 0 { throw ExitCode(Failure.Code.failure.rawValue) }
        }
    }

    /// What is found, without a further problem of what has one already: a bad token shows in several places.
    static func news(_ found: [Finding], after earlier: [Finding]) -> [Finding] {
        let isKnown = earlier.contains { $0.isOfCredentials }
        return found.filter { !isKnown || !$0.isOfCredentials }
    }

    private func checks() -> [any DoctorCheck] {
        let configuration = ConfigurationCheck(common: common)
        let settings = configuration.settings
        let database = settings?.database ?? common.database ?? SettingsKey.database.standard ?? ""
        var checks: [any DoctorCheck] = [
            configuration, LibraryCheck(), FilesCheck(database: database),
            ContentCheck(database: database, full: full),
            SpaceCheck(database: database), LogFileCheck(database: database),
            SpoolCheck(database: database),
        ]
        if let file = settings?.secretFile {
            let credentials = CredentialsCheck(file: file)
            checks.append(credentials)
            if let cloud = settings?.cloud {
                checks.append(EndpointCheck(cloud: cloud, isOfOthers: credentials.isOfOthers))
            }
        }
        // What the daemon was told of its credentials counts least.
        return checks + [DaemonCheck(database: database)]
    }
}
