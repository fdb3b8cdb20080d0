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
        Self.endAtOnceWhenAsked()
        _ = DescriptorLimit.raised()
        let log = LogControl(level: .info, format: .auto)
        let writer = LogWriter(log)
        // A reader that is not there must not keep the program from ending.
        defer { writer.flush(within: .seconds(1)) }
        try await reporting(to: { Self.complaint($0).forEach(writer.write) }) {
            // From the first moment: until it is trapped, a SIGHUP ends the program.
            let signals = await UnixSignalsSequence(trapping: .sighup)
            let settings = try common.settings(for: .daemon)
            log.change(level: settings.logLevel, format: settings.logFormat)
            LoggingSystem.bootstrap { _ in LogOutput(log, writer: writer) }
            let logger = Logger(label: "koobatch")
            for variable in settings.strayVariables {
                logger.warning(
                    "An environment variable is no key of the configuration",
                    metadata: [LogKeys.variable: "\(variable)"]
                )
            }
            do {
                try await serve(settings, log: log, signals: signals, logger: logger)
            } catch let error as StoreError where error.needsOperator {
                // systemd is not to start it again: RestartPreventExitStatus of the unit.
                throw Failure(code: .needsOperator, "\(error)")
            }
        }
    }

    /// Has SIGTERM and SIGINT end the program with status 0, until the services trap them: nothing is in flight before.
    private static func endAtOnceWhenAsked() {
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(EXIT_SUCCESS) } }
    }

    private func serve(
        _ settings: Settings,
        log: LogControl,
        signals: UnixSignalsSequence,
        logger: Logger
    ) async throws {
        guard let cloud = settings.cloud else { throw Failure(code: .configuration, "koophone.endpoint: required") }
        let serviceManager = ServiceManager()
        let lock = try OwnerLock(
            database: settings.database,
            owner: "pid \(ProcessInfo.processInfo.processIdentifier) on \(ProcessInfo.processInfo.hostName)"
        )
        try lock.requireFiles(ofDatabase: settings.database)
        let patience = LockPatience(database: settings.database, serviceManager: serviceManager, logger: logger)
        let (from, to) = try await patience.waiting {
            try Store.migrate(path: settings.database, busyTimeout: LockPatience.step)
        }
        if from != to {
            let message: Logger.Message = from == 0 ? "Database created" : "Database upgraded"
            logger.notice(message, metadata: [LogKeys.from: "\(from)", LogKeys.to: "\(to)"])
        }
        let metrics = try MetricsPublisher(settings: settings.metrics, database: settings.database, logger: logger)
        let store = try await patience.waiting { try Store(path: settings.database, lock: lock) }
        for (host, route) in cloud.routes {
            logger.notice("Route of requests", metadata: [LogKeys.host: "\(host)", LogKeys.route: "\(route)"])
        }
        let client = CurrentClient(cloud, logger: logger)
        let result: Result<Void, any Error>
        do {
            let memory = try await patience.waiting { try await store.gateMemory() }
            if memory.openFor == .credentials { client.credentialsWereRefusedBefore() }
            let engine = Engine(
                configuration: settings.engine,
                store: store,
                service: client,
                memory: memory,
                time: .system,
                logger: logger,
                publish: {
                    // Somebody may have lowered it (`prlimit(1)`).
                    _ = DescriptorLimit.raised()
                    return await metrics.publish()
                }
            )
            let targets = ConfigurationReload.Targets(
                engine: engine,
                client: client,
                log: log,
                grace: ShutdownGrace(settings.shutdownGrace)
            )
            let beginning = try await patience.waiting {
                try await engine.begin(
                    pid: ProcessInfo.processInfo.processIdentifier,
                    version: Version.current
                )
            }
            Self.tell(of: beginning, logger: logger)
            try await work(
                settings,
                targets,
                metrics: metrics,
                signals: signals,
                serviceManager: serviceManager,
                logger: logger
            )
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        lock.leaveRecord()
        try result.get()
    }

    private static func tell(of beginning: Store.Beginning, logger: Logger) {
        if let reason = beginning.restoration {
            logger.error(
                "The database is not as the last daemon left it; what is unfinished is paused: operator action required",
                metadata: [LogKeys.why: "\(reason)", LogKeys.jobs: "\(beginning.paused)"]
            )
        }
        if beginning.recovered > 0 {
            logger.warning(
                "Requests were in flight when the daemon last ended; their chunks are treated as unknown",
                metadata: [LogKeys.chunks: "\(beginning.recovered)"]
            )
        }
    }

    private func work(
        _ settings: Settings,
        _ targets: ConfigurationReload.Targets,
        metrics: MetricsPublisher,
        signals: UnixSignalsSequence,
        serviceManager: ServiceManager,
        logger: Logger
    ) async throws {
        let (engine, client) = (targets.engine, targets.client)
        let endpoint = try await metrics.endpoint(supervision: engine.supervision)
        let watchdog = Watchdog(serviceManager: serviceManager, logger: logger) { engine.supervision.stall(limit: $0) }
        let common = common
        // Asked to end from last to first: the watchdog lasts as long as what it watches.
        var services: [any Service] = watchdog.map { [$0] } ?? []
        // Whoever asks for metrics can see to the end.
        if let endpoint { services.append(endpoint) }
        services += engine.services
        services.append(
            ConfigurationReload(
                signals: signals,
                initial: settings,
                load: { try Settings.load(file: common.config, database: common.database, need: .daemon) },
                targets: targets,
                serviceManager: serviceManager,
                logger: logger
            )
        )
        if serviceManager.isPresent {
            services.append(
                StatusReport(engine: engine, submitted: { client.submitted }, serviceManager: serviceManager)
            )
        }
        let ending = ShutdownCoordinator(
            grace: targets.grace,
            submitting: { client.submitting },
            announce: { engine.end(by: $0) },
            serviceManager: serviceManager
        )
        services.append(ending)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                // What fails lets the others come to their end: answers that are in flight are still to be recorded, or logged.
                services: services.map { .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup) },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        logger.notice(
            "Started",
            metadata: [LogKeys.database: "\(settings.database)", LogKeys.version: "\(Version.current)"]
        )
        if let endpoint {
            logger.notice("Metrics are served", metadata: [LogKeys.address: "\(endpoint.address)"])
        }
        if case .cut(let submissions) = try await ending.run(group), submissions > 0 {
            logger.warning(
                "Requests were still in flight when shutdown.grace was over; they are recorded as unknown",
                metadata: [LogKeys.chunks: "\(submissions)"]
            )
        }
        do {
            try await engine.end()
        } catch {
            logger.warning(
                "The database does not take the note that the daemon has stopped",
                metadata: [LogKeys.message: "\(error)"]
            )
        }
        try await metrics.end()
        logger.notice("Stopped")
        try engine.requireSaved()
    }
}
