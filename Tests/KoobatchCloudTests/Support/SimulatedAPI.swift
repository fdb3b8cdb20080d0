import KooPhoneSimulator
import Logging
import ServiceLifecycle

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
        let logger = Logger(label: "sim") { _ in Silence() }
        let (ports, port) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingOldest(1))
        let service = Serving(simulator: Simulator(configuration: configuration, logger: logger), port: port)
        let group = ServiceGroup(services: [service], logger: logger)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            let result: Result<Void, any Error>
            do {
                for await number in ports.prefix(1) {
                    try await body(SimulatedAPI(endpoint: "http://127.0.0.1:\(number)"))
                }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            try result.get()
        }
    }

    /// The simulator as a service that tells its port, or that there is none.
    private struct Serving: Service {
        let simulator: Simulator
        let port: AsyncStream<Int>.Continuation

        func run() async throws {
            defer { port.finish() }
            try await simulator.run { port.yield($0) }
        }
    }
}

/// A log that goes nowhere.
typealias Silence = SwiftLogNoOpLogHandler
