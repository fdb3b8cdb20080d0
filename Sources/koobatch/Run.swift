import ArgumentParser
import Foundation
import KoobatchCloud
import KoobatchCore
import KoobatchEngine
import KoobatchStore
import Logging
import ServiceLifecycle
import UnixSignals

/// `koobatch run`.
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The daemon: submits what is inserted and records what comes of it, until SIGTERM or SIGINT."
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await reporting {
            let settings = try await common.settings(for: .daemon)
            LoggingSystem.bootstrap { LogOutput(label: $0, level: settings.logLevel, format: settings.logFormat) }
            try await serve(settings, logger: Logger(label: "koobatch"))
        }
    }

    private func serve(_ settings: Settings, logger: Logger) async throws {
        guard let cloud = settings.cloud else { throw Failure(code: .configuration, "koophone.endpoint: required") }
        let lock = try OwnerLock(
            database: settings.database,
            owner: "pid \(ProcessInfo.processInfo.processIdentifier) on \(ProcessInfo.processInfo.hostName)"
        )
        try Store.migrate(path: settings.database)
        let store = try Store(path: settings.database)
        let client = KooPhoneClient(configuration: cloud, logger: logger)
        let result: Result<Void, any Error>
        do {
            try await work(settings, store: store, service: client, logger: logger)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        withExtendedLifetime(lock) {}
        try result.get()
    }

    private func work(
        _ settings: Settings,
        store: Store,
        service: any CommandService,
        logger: Logger
    ) async throws {
        let engine = Engine(
            configuration: Engine.Configuration(
                chunkSize: settings.chunkSize,
                maxInFlight: settings.maxInFlight,
                rules: SubmissionRules(backoff: settings.retry, polling: settings.polling),
                requestsPerSecond: settings.requestsPerSecond
            ),
            store: store,
            service: service,
            memory: try await store.lineMemory(),
            time: .system,
            logger: logger
        )
        let recovered = try await engine.begin(
            pid: ProcessInfo.processInfo.processIdentifier,
            version: Version.current
        )
        if recovered > 0 {
            logger.warning(
                "Requests were in flight when the daemon last ended; their chunks are treated as unknown",
                metadata: ["chunk.count": "\(recovered)"]
            )
        }
        let serviceManager = ServiceManager()
        serviceManager.ready(status: "Working on \(settings.database)")
        logger.notice("Started", metadata: ["database": "\(settings.database)", "version": "\(Version.current)"])
        var configuration = ServiceGroupConfiguration(
            services: engine.services + [StopNotice(serviceManager: serviceManager)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }
        )
        // What is in flight when the grace is over is cancelled, and recorded as unknown.
        configuration.maximumGracefulShutdownDuration = settings.shutdownGrace
        let group = ServiceGroup(configuration: configuration)
        do {
            try await group.run()
        } catch is CancellationError {
            logger.warning("Requests were still in flight when shutdown.grace was over; they are recorded as unknown")
        }
        try await engine.end()
        logger.notice("Stopped")
    }
}

/// Tells systemd that the daemon stops.
///
/// The last of the services, so the first that is asked to.
private struct StopNotice: Service {
    let serviceManager: ServiceManager

    func run() async throws {
        try await gracefulShutdown()
        serviceManager.stopping()
    }
}
