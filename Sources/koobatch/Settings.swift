import Configuration
import Foundation
import KoobatchCloud
import KoobatchCore
import Logging
import SystemPackage

/// The configuration: defaults, then the file, then the environment, then flags.
struct Settings: Sendable {
    /// What the settings are for: a subcommand that only reads the database needs no endpoint.
    enum Need {
        case database
        case daemon
    }

    /// How log lines look.
    enum LogFormat: String, CaseIterable {
        case auto
        case text
        case json
        case journal
    }

    private static let defaultDatabase = "/var/lib/koobatch/koobatch.db"

    let database: String
    /// `nil` unless the daemon needs it.
    let cloud: KooPhoneClient.Configuration?
    let chunkSize: Int
    let maxInFlight: Int
    let requestsPerSecond: Double?
    let retry: Backoff
    let polling: PollSchedule?
    let shutdownGrace: Duration
    let logLevel: Logger.Level
    let logFormat: LogFormat

    /// Reads the settings.
    ///
    /// - Parameters:
    ///   - file: the configuration file; `nil` takes the one at the usual place if it is there.
    ///   - database: the flag of that name.
    ///   - need: what must be there.
    /// - Throws: `SettingsProblems` with every problem at once.
    static func load(file: String?, database: String?, need: Need) async throws -> Settings {
        var reader = try await reader(file: file)
        let settings = Settings(&reader, database: database, need: need)
        guard reader.problems.isEmpty else { throw SettingsProblems(reader.problems) }
        return settings
    }

    private static func reader(file: String?) async throws -> SettingsReader {
        let path = file ?? CommonOptions.defaultConfigurationPath
        do {
            let provider = try await FileProvider<YAMLSnapshot>(filePath: FilePath(path), allowMissing: file == nil)
            return SettingsReader(file: provider, environment: EnvironmentVariablesProvider())
        } catch {
            throw SettingsProblems([.init(key: path, rule: "cannot be read as YAML: \(error)")])
        }
    }

    /// Reads where the database is, and nothing else: for a person who may not read the secrets.
    ///
    /// The file is read only where neither the flag nor the environment names the database.
    ///
    /// - Throws: `SettingsProblems`.
    static func database(file: String?, flag: String?) async throws -> String {
        if let flag { return flag }
        let variable = ProcessInfo.processInfo.environment[SettingsReader.variable(of: "database"), default: ""]
        if !variable.isEmpty { return variable }
        var reader = try await reader(file: file)
        let database = reader.text("database") ?? defaultDatabase
        guard reader.problems.isEmpty else { throw SettingsProblems(reader.problems) }
        return database
    }

    private init(_ reader: inout SettingsReader, database: String?, need: Need) {
        self.database = database ?? reader.text("database") ?? Self.defaultDatabase
        chunkSize = reader.whole("submit.chunk_size", in: 1...Chunking.largestSize, default: 32)
        maxInFlight = reader.whole("submit.max_in_flight", in: 1...1_000, default: 32)
        requestsPerSecond = reader.rate("submit.requests_per_second", in: 0.1...10_000)
        let timeout = reader.seconds("submit.timeout", in: 0.1...600, default: 30)
        // As many queries as submissions may be in flight.
        cloud = need == .daemon ? Self.cloud(&reader, timeout: timeout, connections: maxInFlight * 2) : nil
        retry = Backoff(
            base: reader.seconds("retry.base_delay", in: 0.001...3_600, default: 1),
            maximum: reader.seconds("retry.max_delay", in: 0.001...86_400, default: 300)
        )
        let schedule = PollSchedule(
            initialDelay: reader.seconds("poll.initial_delay", in: 0.01...3_600, default: 1),
            maxDelay: reader.seconds("poll.max_delay", in: 0.01...86_400, default: 60),
            resultTimeout: reader.seconds("poll.result_timeout", in: 0.1...31_536_000, default: 3_600)
        )
        polling = reader.flag("poll.enabled", default: true) ? schedule : nil
        shutdownGrace = reader.seconds("shutdown.grace", in: 0...3_600, default: 25)
        let levels = Logger.Level.allCases.map(\.rawValue)
        logLevel = Logger.Level(rawValue: reader.choice("log.level", of: levels, default: "info")) ?? .info
        let formats = LogFormat.allCases.map(\.rawValue)
        logFormat = LogFormat(rawValue: reader.choice("log.format", of: formats, default: "auto")) ?? .auto
    }
}
