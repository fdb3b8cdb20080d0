import ArgumentParser
import KoobatchEngine
import KoobatchStore
import PrometheusText

/// `koobatch metrics`.
struct MetricsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Prints metrics in the Prometheus text format.",
        discussion: """
            Gauges are read from the database now. Counters and histograms are those of the \
            running daemon, which leaves them in the database every ten seconds; while none \
            runs they are left out and koobatch_daemon_up is 0.
            """
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            let gauges = try await DatabaseClient(path: settings.database, access: .reading).gauges(
                at: EngineTime.system.now
            )
            let own = gauges.daemon.isRunning ? gauges.daemon.exposition ?? "" : ""
            let printer = StandardOutput()
            try printer.write(Exposition.text(of: MetricNames.families(of: gauges)) + own)
            try printer.flush()
        }
    }
}
