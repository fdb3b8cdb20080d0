import Foundation
import KoobatchCloud
import KoobatchCore
import KoobatchEngine
import KoobatchStore
import Logging

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

    let database: String
    /// `nil` unless the daemon needs it.
    let cloud: KooPhoneClient.Configuration?
    /// The file with the secret, where the daemon needs one.
    let secretFile: String?
    let engine: Engine.Configuration
    let submitTimeout: Duration
    let shutdownGrace: Duration
    let metrics: Metrics
    /// Where systemd puts the credentials that it passes, if it does.
    let credentialsDirectory: String?
    let logLevel: Logger.Level
    let logFormat: LogFormat
    /// What is in force by key, in the form of the file.
    let effective: [SettingsKey: String]
    /// Environment variables that look like keys and are none.
    let strayVariables: [String]

    /// Reads the settings.
    ///
    /// - Parameters:
    ///   - file: the configuration file; `nil` takes the one at the usual place if it is there.
    ///   - database: the flag of that name.
    ///   - need: what must be there.
    /// - Throws: `SettingsProblems` with every problem at once.
    static func load(file: String?, database: String?, need: Need) throws -> Settings {
        let (settings, problems) = try read(file: file, database: database, need: need)
        guard problems.isEmpty else { throw SettingsProblems(problems) }
        return settings
    }

    /// Reads the settings as far as they can be read, and the problems of the rest.
    ///
    /// - Throws: `SettingsProblems` when the file cannot be read at all.
    static func read(
        file: String?,
        database: String?,
        need: Need,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        descriptorLimit: () -> Int = DescriptorLimit.raised
    ) throws -> (settings: Settings, problems: [SettingsProblems.Problem]) {
        let path = file ?? CommonOptions.defaultConfigurationPath
        let file = try SettingsFile(path: path, mayBeMissing: file == nil)
        var reader = SettingsReader(
            file: file,
            environment: environment,
            flags: database.map { [.database: $0] } ?? [:]
        )
        let settings = Settings(&reader, need: need, environment: environment, descriptorLimit: descriptorLimit)
        return (settings, SettingsProblems.sorted(reader.problems))
    }

    /// Reads where the database is, and nothing else: for a user who may not read the secrets.
    ///
    /// The file is read only where neither the flag nor the environment names the database.
    ///
    /// - Throws: `SettingsProblems`.
    static func database(
        file: String?,
        flag: String?,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> String {
        let path = file ?? CommonOptions.defaultConfigurationPath
        let isElsewhere = flag != nil || !environment[SettingsKey.database.variable, default: ""].isEmpty
        var reader = SettingsReader(
            file: isElsewhere ? .empty(path) : try SettingsFile(path: path, mayBeMissing: file == nil),
            environment: environment,
            flags: flag.map { [.database: $0] } ?? [:]
        )
        let database = reader.database()
        let problems = reader.problems.filter { $0.key == SettingsKey.database.name }
        guard problems.isEmpty else { throw SettingsProblems(problems) }
        return database
    }

    private init(
        _ reader: inout SettingsReader,
        need: Need,
        environment: [String: String],
        descriptorLimit: () -> Int
    ) {
        database = reader.database()
        let maxInFlight = reader.whole(.maxInFlight, in: 1...1_000)
        if need == .daemon, let shortage = DescriptorLimit.shortage(maxInFlight: maxInFlight, limit: descriptorLimit())
        {
            reader.problem(.maxInFlight, shortage)
        }
        credentialsDirectory = environment["CREDENTIALS_DIRECTORY"]
        let chunkSize = reader.whole(.chunkSize, in: 1...Chunking.largestSize)
        let requestsPerSecond = reader.rate(.requestsPerSecond, in: 0.1...10_000)
        submitTimeout = reader.duration(.submitTimeout, in: 0.1...600)
        // As many queries as submissions may be in flight.
        let access =
            need == .daemon
            ? Self.cloud(&reader, environment, timeout: submitTimeout, connections: maxInFlight * 2) : nil
        (cloud, secretFile) = (access?.cloud, access?.secretFile)
        let baseDelay = reader.duration(.baseDelay, in: 0.001...3_600)
        let maxDelay = reader.duration(.maxDelay, in: 0.001...86_400)
        let retry = Backoff(base: baseDelay, maximum: maxDelay)
        if baseDelay > maxDelay, reader.isSet(.baseDelay), !reader.problems.contains(where: { $0.isOf(.maxDelay) }) {
            reader.problem(.baseDelay, "must not be longer than retry.max_delay")
        }
        let schedule = PollSchedule(
            initialDelay: reader.duration(.pollInitialDelay, in: 0.01...3_600),
            maxDelay: reader.duration(.pollMaxDelay, in: 0.01...86_400),
            resultTimeout: reader.duration(.resultTimeout, in: 0.1...31_536_000)
        )
        let retention = reader.duration(.finishedJobs, in: 0...3_153_600_000)
        engine = Engine.Configuration(
            chunkSize: chunkSize,
            maxInFlight: maxInFlight,
            rules: SubmissionRules(backoff: retry, polling: reader.flag(.pollEnabled) ? schedule : nil),
            requestsPerSecond: requestsPerSecond,
            retention: retention == .zero ? nil : retention
        )
        shutdownGrace = reader.duration(.shutdownGrace, in: 0...3_600)
        metrics = Self.metrics(&reader)
        logLevel = reader.choice(.logLevel, of: Logger.Level.self) ?? .info
        logFormat = reader.choice(.logFormat, of: LogFormat.self) ?? .auto
        effective = reader.effective
        let known = Set(SettingsKey.all.map(\.variable))
        strayVariables = environment.keys.filter {
            $0.hasPrefix(SettingsKey.variablePrefix) && !known.contains($0)
        }.sorted()
    }
}
