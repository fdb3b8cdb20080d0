import KooPhoneSimulator
import Logging

/// A simulator that serves while a test runs.
struct SimulatedAPI {
    static let token = "valid-token"

    let endpoint: String

    /// Serves for as long as the body takes.
    static func serving(
        _ faults: FaultPlan = FaultPlan(),
        configure: (inout SimulatorConfiguration) -> Void = { _ in },
        _ body: (SimulatedAPI) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration()
        configuration.seed = 1
        configuration.tokens = [token]
        configuration.faults = faults
        configure(&configuration)
        let simulator = Simulator(configuration: configuration, logger: Logger(label: "sim") { _ in Silence() })
        let (ports, port) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingOldest(1))
        try await withThrowingTaskGroup { group in
            group.addTask {
                do {
                    try await simulator.run { port.yield($0) }
                } catch is CancellationError {
                    return
                }
            }
            for await number in ports.prefix(1) {
                try await body(SimulatedAPI(endpoint: "http://127.0.0.1:\(number)"))
            }
            group.cancelAll()
        }
    }
}

/// A log that goes nowhere.
typealias Silence = SwiftLogNoOpLogHandler
