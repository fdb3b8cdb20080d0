import ArgumentParser
import Foundation
import KoobatchCloud
import KoobatchCore
import KoobatchEngine
import KoobatchStore
import Logging
import MetricsEndpoint
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
            LoggingSystem.bootstrap { _ in LogOutput(level: settings.logLevel, format: settings.logFormat) }
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
        let metrics = try MetricsPublisher(settings: settings.metrics, database: settings.database, logger: logger)
        let store = try Store(path: settings.database)
        let client = KooPhoneClient(configuration: cloud, logger: logger)
        let result: Result<Void, any Error>
        do {
            try await work(settings, store: store, service: client, metrics: metrics, logger: logger)
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
        metrics: MetricsPublisher,
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
            logger: logger,
            publish: { await metrics.publish() }
        )
        let endpoint = try await metrics.endpoint(health: engine.health)
        let recovered = try await engine.begin(
            pid: ProcessInfo.processInfo.processIdentifier,
            version: Version.current
        )
        if recovered > 0 {
            logger.warning(
                "Requests were in flight when the daemon last ended; their chunks are treated as unknown",
                metadata: [LogKeys.chunks: "\(recovered)"]
            )
        }
        let serviceManager = ServiceManager()
        serviceManager.ready(status: "Working on \(settings.database)")
        logger.notice(
            "Started",
            metadata: [LogKeys.database: "\(settings.database)", LogKeys.version: "\(Version.current)"]
        )
        if let endpoint {
            logger.notice("Metrics are served", metadata: [LogKeys.address: "\(endpoint.address)"])
        }
        // Stopped from last to first: whoever asks can see to the end.
        let endpoints: [any Service] = endpoint.map { [$0] } ?? []
        var configuration = ServiceGroupConfiguration(
            services: endpoints + engine.services + [StopNotice(serviceManager: serviceManager)],
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
        try await metrics.end()
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
