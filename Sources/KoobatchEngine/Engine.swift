public import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// The stages, wired together: insert → plan → submit → poll.
public struct Engine: Sendable {
    /// How the engine works.
    public struct Configuration: Sendable {
        /// Instances in one request.
        public let chunkSize: Int
        /// Submissions in flight at once; as many queries may be in flight beside them.
        public let maxInFlight: Int
        /// How answers are turned into changes.
        public let rules: SubmissionRules
        /// The operator's bound on requests per second, submissions and queries together.
        public let requestsPerSecond: Double?

        /// Creates a configuration.
        public init(chunkSize: Int, maxInFlight: Int, rules: SubmissionRules, requestsPerSecond: Double?) {
            self.chunkSize = chunkSize
            self.maxInFlight = maxInFlight
            self.rules = rules
            self.requestsPerSecond = requestsPerSecond
        }
    }

    /// The stages, in an order in which they may be told to shut down from last to first.
    public let services: [any Service]
    private let configuration: Configuration
    private let store: Store
    private let time: EngineTime

    /// Wires the stages; nothing runs before the services do.
    ///
    /// - Parameters:
    ///   - configuration: how the engine works.
    ///   - store: the database.
    ///   - service: the API.
    ///   - memory: what an earlier daemon knew of the line to the API.
    ///   - time: the clocks.
    ///   - logger: of all stages.
    public init(
        configuration: Configuration,
        store: Store,
        service: any CommandService,
        memory: Store.LineMemory,
        time: EngineTime,
        logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.time = time
        let inboxes = Inboxes()
        let line = Line(
            backoff: configuration.rules.backoff,
            ceiling: configuration.requestsPerSecond,
            memory: memory,
            hasNewCredentials: { service.hasNewCredentials },
            store: store,
            logger: logger,
            at: time.now
        )
        var services: [any Service] = [
            Housekeeper(store: store, inboxes: inboxes, line: line, time: time, logger: logger),
            ChangeWatcher(store: store, inboxes: inboxes, logger: logger),
        ]
        if let schedule = configuration.rules.polling {
            services.append(
                Poller(
                    configuration: .init(maxInFlight: configuration.maxInFlight, schedule: schedule),
                    store: store,
                    service: service,
                    inboxes: inboxes,
                    line: line,
                    time: time,
                    logger: logger
                )
            )
        }
        services.append(
            Submitter(
                configuration: .init(maxInFlight: configuration.maxInFlight, rules: configuration.rules),
                store: store,
                service: service,
                inboxes: inboxes,
                line: line,
                time: time,
                logger: logger
            )
        )
        services.append(
            Planner(
                chunkSize: configuration.chunkSize,
                store: store,
                inboxes: inboxes,
                time: time,
                logger: logger
            )
        )
        self.services = services
    }

    /// Takes over from an earlier daemon, before the services run.
    ///
    /// The caller owns the database.
    ///
    /// - Returns: chunks whose requests were in flight when that one ended.
    public func begin(pid: Int32, version: String) async throws -> Int {
        let now = time.now
        let recovered = try await store.recover(
            rules: configuration.rules,
            at: now,
            generator: SystemRandomNumberGenerator()
        )
        try await store.daemonStarted(pid: pid, version: version, at: now)
        return recovered
    }

    /// Notes that the daemon has stopped in order, after the services have ended.
    public func end() async throws {
        try await store.daemonStopped(at: time.now)
    }
}
