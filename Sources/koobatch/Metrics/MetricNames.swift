import KoobatchCore
import KoobatchEngine
import KoobatchStore
import PrometheusText

/// The metrics by name, and what they mean.
///
/// The names are public; koobatch-metrics(7) lists them.
enum MetricNames {
    /// Of what the daemon measures.
    static let descriptions: [String: MetricsRegistry.Description] = [
        EngineMetrics.requests: .init("Requests to the API that were answered or given up, by operation and outcome."),
        EngineMetrics.duration: .init("How long requests to the API took."),
        EngineMetrics.planned: .init("Chunks that jobs were cut into."),
        EngineMetrics.finished: .init("Jobs that finished, by state."),
        EngineMetrics.databaseErrors: .init("Attempts to use the database that failed."),
        StoreMetrics.results: .init("Instances whose result was recorded."),
        StoreMetrics.transaction: .init("How long transactions of the daemon held the write lock.", bounds: short),
        StoreMetrics.sync: .init("How long the disk took to make commits durable.", bounds: short),
        StoreMetrics.firstRequest: .init(
            "From the insert of a job, or its run_at, to its first request.",
            bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 1_800, 3_600]
        ),
    ]

    private static let short = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

    static func databaseUp(_ isUp: Bool) -> MetricFamily {
        MetricFamily(
            "koobatch_database_up",
            .gauge,
            help: "Whether the database can be read: 1 or 0.",
            value: isUp ? 1 : 0
        )
    }

    /// Of what the database says.
    static func families(of gauges: DatabaseGauges) -> [MetricFamily] {
        var info = MetricFamily("koobatch_build_info", .gauge, help: "The versions at work; always 1.")
        info.add(
            1,
            [
                "version": Version.current, "sqlite": gauges.sqliteVersion, "schema": "\(gauges.schemaVersion)",
            ]
        )
        return [info, databaseUp(true)] + daemon(gauges) + work(gauges)
    }

    private static func daemon(_ gauges: DatabaseGauges) -> [MetricFamily] {
        let daemon = gauges.daemon
        var families = [
            MetricFamily(
                "koobatch_daemon_up",
                .gauge,
                help: "Whether the daemon runs, as its heartbeat says: 1 or 0.",
                value: daemon.isRunning ? 1 : 0
            ),
            MetricFamily(
                "koobatch_requests_per_second_limit",
                .gauge,
                help: "The limit in force on requests to the API; +Inf is none.",
                value: daemon.requestsPerSecond ?? .infinity
            ),
            set("koobatch_circuit", of: ["closed", "open", "half-open"], is: daemon.circuit, "The circuit to the API"),
            set(
                "koobatch_credentials",
                of: ["unknown", "accepted", "refused"],
                is: daemon.credentials,
                "What the API says of the credentials"
            ),
        ]
        if let heartbeat = daemon.heartbeatAt {
            families.append(
                MetricFamily(
                    "koobatch_daemon_heartbeat_timestamp_seconds",
                    .gauge,
                    help: "The daemon's last heartbeat, in seconds since 1970.",
                    value: Double(heartbeat.millisecondsSinceEpoch) / 1_000
                )
            )
        }
        return families
    }

    private static func work(_ gauges: DatabaseGauges) -> [MetricFamily] {
        [
            counts("koobatch_jobs", gauges.jobs, "Jobs in the database, by state."),
            counts("koobatch_instances", gauges.instances, "Instances of the jobs in the database, by state."),
            counts("koobatch_chunks", gauges.chunks, "Chunks that can still change, by state; unknown is on hold."),
            MetricFamily(
                "koobatch_oldest_due_chunk_age_seconds",
                .gauge,
                help: "How long the chunk that waits longest could have been sent; 0 when none waits.",
                value: gauges.oldestDueAt.map { (gauges.readAt - $0).inSeconds } ?? 0
            ),
            MetricFamily(
                "koobatch_database_bytes",
                .gauge,
                help: "The size of the database without its WAL.",
                value: Double(gauges.bytes)
            ),
        ]
    }

    private static func counts<Kind: LifecycleState>(_ name: String, _ counts: [Kind: Int], _ help: String)
        -> MetricFamily
    {
        var family = MetricFamily(name, .gauge, help: help)
        for state in Kind.allCases {
            guard let count = counts[state] else { continue }
            family.add(Double(count), ["state": state.rawValue])
        }
        return family
    }

    private static func set(_ name: String, of words: [String], is now: String, _ what: String) -> MetricFamily {
        var family = MetricFamily(name, .gauge, help: "\(what): 1 for the state that it is in.")
        for word in words { family.add(word == now ? 1 : 0, ["state": word]) }
        return family
    }
}
