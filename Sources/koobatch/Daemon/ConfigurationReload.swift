import KoobatchCloud
import KoobatchCore
import KoobatchEngine
import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Reads the configuration again on SIGHUP: a bad one is reported and the old one stays in force.
struct ConfigurationReload: Service {
    /// What a new configuration is given to.
    struct Targets: Sendable {
        let engine: Engine
        let client: CurrentClient
        let log: LogControl
        let grace: ShutdownGrace
    }

    /// Keys whose change needs another client.
    private static let ofClient: Set<SettingsKey> = [
        .endpoint, .proxy, .proxyUser, .proxyPasswordFile, .caFile, .authMethod, .tokenFile, .iamEndpoint, .user,
        .domain, .project, .passwordFile, .accessKey,
        .secretKeyFile, .projectID, .submitTimeout, .maxInFlight,
    ]

    let signals: UnixSignalsSequence
    let initial: Settings
    let load: @Sendable () throws -> Settings
    let targets: Targets
    let serviceManager: ServiceManager
    let logger: Logger

    /// Obeys until graceful shutdown or cancellation.
    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await withThrowingDiscardingTaskGroup { group in
                var settings = initial
                for await _ in signals {
                    serviceManager.reloading()
                    if let new = read() {
                        let changesClient = apply(new, over: settings)
                        settings = new
                        if changesClient { group.addTask { await closeRetired() } }
                    }
                    serviceManager.ready()
                }
            }
        }
    }

    private func read() -> Settings? {
        do {
            return try load()
        } catch let error as SettingsProblems {
            for problem in error.problems {
                logger.error("The configuration has a problem", metadata: [LogKeys.problem: "\(problem)"])
            }
        } catch {
            logger.error("The configuration has a problem", metadata: [LogKeys.problem: "\(error)"])
        }
        logger.error("The new configuration is not used; the old one stays in force")
        return nil
    }

    /// Puts what differs in force, and says so.
    ///
    /// - Returns: whether the client was replaced.
    private func apply(_ new: Settings, over old: Settings) -> Bool {
        let changed = SettingsKey.all.filter { new.effective[$0] != old.effective[$0] }
        if changed.isEmpty { logger.notice("The configuration is read again; nothing has changed") }
        for key in changed {
            let metadata: Logger.Metadata = [
                LogKeys.key: "\(key.name)", LogKeys.from: "\(old.effective[key] ?? "unset")",
                LogKeys.to: "\(new.effective[key] ?? "unset")",
            ]
            switch key.change {
            case .reload: logger.notice("The configuration has changed", metadata: metadata)
            case .restart: tellOfRestart(key, new)
            }
        }
        targets.log.change(level: new.logLevel, format: new.logFormat)
        targets.grace.change(to: new.shutdownGrace)
        // The files of the proxy's password and of the authorities may have other contents.
        let changesClient =
            new.secretFile != old.secretFile || new.cloud?.network != old.cloud?.network
            || changed.contains(where: Self.ofClient.contains)
        if changesClient, let cloud = new.cloud { targets.client.change(to: cloud) }
        readSecretAgain(new)
        targets.engine.change(to: new.engine)
        return changesClient
    }

    /// Reads the file with the secret again, and says so; what systemd passes stays as it is.
    private func readSecretAgain(_ settings: Settings) {
        targets.client.readSecretAgain()
        guard let file = settings.secretFile else { return }
        if let directory = settings.credentialsDirectory, file.hasPrefix("\(directory)/") {
            let unit = directory.split(separator: "/").last.map(String.init) ?? "koobatch"
            logger.notice(
                "Credentials that systemd passes are read when the service starts: a reload does not change them, a restart does",
                metadata: [LogKeys.file: "\(file)", LogKeys.command: "systemctl restart \(unit)"]
            )
        } else {
            logger.notice("The file with the credentials is read again", metadata: [LogKeys.file: "\(file)"])
        }
    }

    /// What needs a restart is in force as it was at the start, whatever was read since.
    private func tellOfRestart(_ key: SettingsKey, _ new: Settings) {
        let (running, wanted) = (initial.effective[key], new.effective[key])
        if running == wanted {
            logger.notice(
                "A change of the configuration is taken back and needs no restart any more",
                metadata: [LogKeys.key: "\(key.name)", LogKeys.value: "\(running ?? "unset")"]
            )
        } else {
            logger.warning(
                "A change of the configuration needs a restart",
                metadata: [
                    LogKeys.key: "\(key.name)", LogKeys.from: "\(running ?? "unset")",
                    LogKeys.to: "\(wanted ?? "unset")",
                ]
            )
        }
    }

    private func closeRetired() async {
        do {
            try await targets.client.closeRetired()
        } catch is CancellationError {
            // The daemon stops, and closes them all.
        } catch {
            logger.warning(
                "The connections of the old configuration could not be closed",
                metadata: [LogKeys.closing: "\(error)"]
            )
        }
    }
}

/// How long requests in flight may take to end when the daemon stops.
final class ShutdownGrace: Sendable {
    private let state: Mutex<Duration>

    init(_ duration: Duration) {
        state = Mutex(duration)
    }

    var current: Duration { state.withLock { $0 } }

    func change(to duration: Duration) {
        state.withLock { $0 = duration }
    }
}
