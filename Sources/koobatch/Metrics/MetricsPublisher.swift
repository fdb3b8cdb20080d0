import CoreMetrics
import Foundation
import KoobatchCore
import KoobatchEngine
import KoobatchStore
import Logging
import MetricsEndpoint
import PrometheusText
import Synchronization

/// The daemon's metrics on their three ways out: the database (for `koobatch metrics`), a file, an endpoint.
final class MetricsPublisher: Sendable {
    private let registry = MetricsRegistry(descriptions: MetricNames.descriptions)
    private let settings: Settings.Metrics
    private let reader: DatabaseClient
    private let logger: Logger
    private let startedAt = EngineTime.system.now
    private let lastFailure = Mutex<String?>(nil)

    /// Becomes the backend of swift-metrics: create it before what measures, and once in a process.
    init(settings: Settings.Metrics, database: String, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        reader = try DatabaseClient(path: database, access: .reading)
        MetricsSystem.bootstrap(registry)
    }

    /// Writes the file, if one is configured, and returns what this process measures.
    func publish() async -> String {
        let own = Exposition.text(of: process)
        await writeFile(own)
        return own
    }

    /// Writes the file for the last time and closes the database.
    func end() async throws {
        await writeFile(Exposition.text(of: process))
        try reader.close()
    }

    private func writeFile(_ own: String) async {
        guard let file = settings.file else { return }
        var failure: String?
        do {
            // Readable by node_exporter, which is another user.
            try AtomicFile.write(await database() + own, to: file, mode: 0o644)
        } catch {
            failure = "\(error)"
        }
        let isNews = lastFailure.withLock { last in
            defer { last = failure }
            return failure != last
        }
        guard isNews else { return }
        if let failure {
            logger.warning("Metrics file not written", metadata: [LogKeys.message: "\(failure)"])
        } else {
            logger.notice("Metrics file written again")
        }
    }

    /// Everything: the gauges of the database and what this process measures.
    func everything() async -> String {
        await database() + Exposition.text(of: process)
    }

    private func database() async -> String {
        do {
            let gauges = try await reader.gauges(at: EngineTime.system.now)
            return Exposition.text(of: MetricNames.families(of: gauges))
        } catch {
            return Exposition.text(of: [MetricNames.databaseUp(false)])
        }
    }

    private var process: [MetricFamily] {
        registry.families + ProcessFacts.families(startedAt: startedAt)
    }

    /// Listens, if that is configured.
    ///
    /// - Throws: `MetricsEndpoint.CannotListen`.
    func endpoint(supervision: Supervision) async throws -> MetricsEndpoint? {
        guard let address = settings.listen else { return nil }
        return try await MetricsEndpoint(
            listening: address,
            pages: [
                "/metrics": {
                    MetricsEndpoint.Page(contentType: Exposition.contentType, text: await self.everything())
                },
                "/healthz": {
                    let problems = supervision.problems
                    if problems.isEmpty { return MetricsEndpoint.Page(text: "ok\n") }
                    return MetricsEndpoint.Page(isWell: false, text: problems.map { "\($0)\n" }.joined())
                },
            ]
        )
    }
}
