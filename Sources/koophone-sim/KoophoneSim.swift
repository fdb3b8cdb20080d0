import ArgumentParser
import Foundation
import KooPhoneSimulator
import Logging
import ServiceLifecycle
import UnixSignals

@main
struct KoophoneSim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "koophone-sim",
        abstract: "A local KooPhone API that keeps the documented rules and injects faults on request.",
        discussion: """
            Prints one line once it listens: koophone-sim listening on http://HOST:PORT seed=SEED
            The control API under /sim changes faults (PUT /sim/faults) and tokens (PUT /sim/tokens) while it runs, \
            and tells what really happened (GET /sim/journal, GET /sim/stats).
            """
    )

    @OptionGroup(title: "Address")
    var address: AddressOptions

    @OptionGroup(title: "Credentials")
    var credentials: CredentialOptions

    @OptionGroup(title: "Faults")
    var faults: FaultOptions

    func run() async throws {
        var configuration = SimulatorConfiguration()
        address.apply(to: &configuration)
        credentials.apply(to: &configuration)
        try faults.apply(to: &configuration)

        var logger = Logger(label: "koophone-sim")
        logger.logLevel = .warning
        let service = AnnouncedSimulator(configuration: configuration, logger: logger)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        try await group.run()
    }
}

/// A simulator that says on standard output where it listens.
private struct AnnouncedSimulator: Service {
    let configuration: SimulatorConfiguration
    let logger: Logger

    func run() async throws {
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        let seed = configuration.seed
        try await Simulator(configuration: configuration, logger: logger).run { port in
            let line = "koophone-sim listening on http://\(host):\(port) seed=\(seed)\n"
            FileHandle.standardOutput.write(Data(line.utf8))
        }
    }
}
