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

            ENDPOINTS: POST /v1/instances/async-command
              GET /v1/instances/tasks/TASK_ID
              POST /v3/auth/tokens

            CONTROL, while it runs: PUT, GET, DELETE /sim/faults
              GET /sim/journal (?after=N), what really happened, as JSON Lines
              GET /sim/arrivals (?prefix=INSTANCE&limit=N), when submissions came,
              in microseconds; GET /sim/stats; POST /sim/reset
              PUT /sim/tokens {"valid": [], "expired": [], "revoke_issued": false}

            FAULT PLAN: {"seed": 7, "duration": 0.2,
              "limit": {"per_second": 20, "retry_after": true,
                        "named": false},
              "rules": [{"on": "submit", "kind": "drop_after", "times": 3,
                         "probability": 0.1, "skip": 1}],
              "instances": {"frozen*": {"refuse": {"status": 200, "times": 2,
                  "error_code": "KOOPHONE.API.2004", "error_msg": "frozen"}},
                "gone": {"fail": {"error_code": "CPS0005", "error_msg": "none"}},
                "stuck": {"never": true}},
              "commands": {"reboot": {"duration": 5, "output": "rebooting"}}}

            RULES are on submit (default), query, token or any. The first that
            fires decides. These do not act: status, error, drop_before, hang.
            These act: drop_after, hang with "acted": true, status_after,
            truncated, malformed, empty, missing_mappings ("count"),
            extra_mappings, duplicate_mappings, long_ids, number_code, crossed
            (other instances are named), contradicted (the mapping beside
            error_code), encoded ("encoding": gzip, deflate, or any name).
            A delay ("seconds") holds the answer back, then looks at further
            rules. More keys: status, error_code, error_msg, retry_after, body.
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
        var group = ServiceGroupConfiguration(
            services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(1)
        try await ServiceGroup(configuration: group).run()
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
