import ServiceLifecycle

/// The beginning and the end of the services: tells systemd of both, and ends what outlasts the grace.
///
/// The last of the services, so the first that is asked to stop.
struct Ending: Service {
    /// How the services ended.
    enum Outcome: Sendable {
        /// Each in its own time.
        case orderly
        /// The grace was over, and so many submissions that were in flight were cancelled.
        case cut(submissions: Int)
    }

    private let grace: ShutdownGrace
    private let submitting: @Sendable () -> Int
    private let serviceManager: ServiceManager
    private let began = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameter submitting: how many submissions are in flight now.
    init(grace: ShutdownGrace, submitting: @escaping @Sendable () -> Int, serviceManager: ServiceManager) {
        self.grace = grace
        self.submitting = submitting
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
                return .cut(submissions: submitting())
            }
            // The grace is over, or the services are; the other task ends by being cancelled, which is no outcome.
            let outcome = try await tasks.next().flatMap(\.self)
            tasks.cancelAll()
            do {
                let other = try await tasks.next().flatMap(\.self)
                return outcome ?? other ?? .orderly
            } catch is CancellationError {
                // The wait for the end of the grace.
                return outcome ?? .orderly
            }
        }
    }
}
