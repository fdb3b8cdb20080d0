public import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// The stages, wired together: insert → submit → poll, and what is planned beside them.
public struct Engine: Sendable {
    /// How the engine works.
    public struct Configuration: Hashable, Sendable {
        /// Instances in one request.
        public let chunkSize: Int
        /// Submissions in flight at once; as many queries may be in flight beside them.
        public let maxInFlight: Int
        /// How answers are turned into changes.
        public internal(set) var rules: SubmissionRules
        /// The operator's bound on requests per second, submissions and queries together.
        public let requestsPerSecond: Double?
        /// How long finished jobs are kept; `nil` keeps them for ever.
        public let retention: Duration?

        /// Creates a configuration.
        public init(
            chunkSize: Int,
            maxInFlight: Int,
            rules: SubmissionRules,
            requestsPerSecond: Double?,
            retention: Duration?
        ) {
            self.chunkSize = chunkSize
            self.maxInFlight = maxInFlight
            self.rules = rules
            self.requestsPerSecond = requestsPerSecond
            self.retention = retention
        }
    }

    /// The stages, in an order in which they may be told to shut down from last to first.
    public let services: [any Service]
    /// Whether the daemon works.
    public let supervision: Supervision
    let settings: EngineSettings
    let queues: StageQueues
    let gate: RequestGate
    let store: Store
    private let time: EngineTime
    private let clock: ClockWatch
    let logger: Logger

    /// Wires the stages; nothing runs before the services do.
    ///
    /// - Parameters:
    ///   - configuration: how the engine works.
    ///   - store: the database.
    ///   - service: the API.
    ///   - memory: what an earlier daemon knew of the circuit and the rate limit.
    ///   - time: the clocks.
    ///   - logger: of all stages.
    ///   - publish: called at every heartbeat; makes public what was measured and returns it for the database.
    public init(
        configuration: Configuration,
        store: Store,
        service: any CommandService,
        memory: Store.GateMemory,
        time: EngineTime,
        logger: Logger,
        publish: @escaping @Sendable () async -> String? = { nil }
    ) {
        self.store = store
        self.time = time
        self.logger = logger
        let settings = EngineSettings(configuration)
        let supervision = Supervision { store.pulse(at: $0) }
        let queues = StageQueues(supervision)
        let service = MeasuredService(service)
        let gate = RequestGate(
            backoff: configuration.rules.backoff,
            ceiling: configuration.requestsPerSecond,
            memory: memory,
            service: service,
            store: store,
            logger: logger,
            at: time.now,
            changed: { queues.changed(.gate) }
        )
        let clock = ClockWatch(
            last: memory.trustedAt,
            time: time,
            serverTime: { service.serverTime },
            logger: logger
        )
        var services: [any Service] = [
            JobCompletionLogger(store: store, queues: queues, time: time, logger: logger),
            Housekeeper(
                retention: { settings.current.retention },
                rules: { settings.current.rules },
                store: store,
                queues: queues,
                gate: gate,
                time: time,
                clock: clock,
                logger: logger,
                publish: publish
            ),
            ChangeWatcher(store: store, queues: queues, logger: logger),
        ]
        if let schedule = configuration.rules.polling {
            services.append(
                Poller(
                    configuration: {
                        let now = settings.current
                        return .init(maxInFlight: now.maxInFlight, schedule: now.rules.polling ?? schedule)
                    },
                    store: store,
                    service: service,
                    queues: queues,
                    gate: gate,
                    time: time,
                    clock: clock,
                    logger: logger
                )
            )
        }
        services.append(
            Submitter(
                configuration: {
                    let now = settings.current
                    return .init(maxInFlight: now.maxInFlight, chunkSize: now.chunkSize, rules: now.rules)
                },
                store: store,
                service: service,
                queues: queues,
                gate: gate,
                time: time,
                logger: logger
            )
        )
        services.append(
            Planner(
                chunkSize: { settings.current.chunkSize },
                store: store,
                queues: queues,
                time: time,
                logger: logger
            )
        )
        self.services = services
        self.supervision = supervision
        self.settings = settings
        self.queues = queues
        self.gate = gate
        self.clock = clock
    }

    /// Takes over from an earlier daemon, before the services run; see `Store.begin`.
    ///
    /// The caller owns the database.
    ///
    /// - Throws: `StoreError`: `.owned` while another daemon is alive, `.locked` while another program keeps the database
    ///   locked, after which it may be called again.
    public func begin(pid: Int32, version: String) async throws -> Store.Beginning {
        let beginning = try await store.begin(
            pid: pid,
            version: version,
            rules: settings.current.rules,
            trusted: clock.trustedNow(),
            at: time.now,
            generator: SystemRandomNumberGenerator()
        )
        log(beginning.intake)
        for answer in beginning.intake.kept { queues.submitter.put(answer) }
        return beginning
    }

    /// Throws where acceptances were left at the end that neither the database nor the spool has taken.
    public func requireSaved() throws {
        try queues.losses.require()
    }

    /// Notes that the daemon has stopped in order, after the services have ended.
    public func end() async throws {
        try await store.daemonStopped(at: time.now)
    }
}
