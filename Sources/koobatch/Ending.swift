import ServiceLifecycle

/// The beginning and the end of the services: tells systemd of both, and ends what outlasts the grace.
///
/// The last of the services, so the first that is asked to stop.
struct Ending: Service {
    /// How the services ended.
    enum Outcome: Sendable {
        /// Each in its own time.
        case orderly
        /// The grace was over, and what was in flight was cancelled.
        case cut
    }

    private let grace: ShutdownGrace
    private let serviceManager: ServiceManager
    private let began = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(grace: ShutdownGrace, serviceManager: ServiceManager) {
        self.grace = grace
        self.serviceManager = serviceManager
    }

    /// One of the services: all of them have been started when it runs.
    func run() async throws {
        serviceManager.ready()
        try await gracefulShutdown()
        serviceManager.stopping()
        began.continuation.finish()
    }

    /// Runs the services to their end.
    func run(_ group: ServiceGroup) async throws -> Outcome {
        try await withThrowingTaskGroup(of: Outcome?.self) { tasks in
            tasks.addTask {
                do {
                    try await group.run()
                    return .orderly
                } catch is CancellationError {
                    return nil
                }
            }
            tasks.addTask {
                for await _ in began.stream {}
                try await ContinuousClock().sleep(for: grace.current)
                return .cut
            }
            // The grace is over, or the services are; the other task ends by being cancelled.
            var outcome = try await tasks.next().flatMap(\.self)
            tasks.cancelAll()
            do {
                outcome = try await tasks.next().flatMap(\.self) ?? outcome
            } catch is CancellationError {
                // The wait for the end of the grace.
            }
            return outcome ?? .orderly
        }
    }
}
