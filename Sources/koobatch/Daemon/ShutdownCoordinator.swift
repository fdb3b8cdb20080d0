import ServiceLifecycle

/// The beginning and the end of the services: tells systemd of both, and ends what outlasts the grace.
///
/// The last of the services, so the first that is asked to stop.
struct ShutdownCoordinator: Service {
    /// How the services ended.
    enum Outcome: Sendable {
        /// Each in its own time.
        case orderly
        /// The grace was over, and so many submissions that were in flight were cancelled.
        case cut(submissions: Int)
    }

    private let grace: ShutdownGrace
    private let submitting: @Sendable () -> Int
    private let announce: @Sendable (ContinuousClock.Instant) -> Void
    private let serviceManager: ServiceManager
    private let began = AsyncStream.makeStream(of: ContinuousClock.Instant.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - submitting: how many submissions are in flight now.
    ///   - announce: told of the end of the grace when it begins.
    init(
        grace: ShutdownGrace,
        submitting: @escaping @Sendable () -> Int,
        announce: @escaping @Sendable (ContinuousClock.Instant) -> Void,
        serviceManager: ServiceManager
    ) {
        self.grace = grace
        self.submitting = submitting
        self.announce = announce
        self.serviceManager = serviceManager
    }

    /// One of the services: all of them have been started when it runs.
    func run() async throws {
        serviceManager.ready()
        try await gracefulShutdown()
        let end = ContinuousClock.now + grace.current
        announce(end)
        serviceManager.stopping()
        began.continuation.yield(end)
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
                for await end in began.stream { try await ContinuousClock().sleep(until: end) }
                try Task.checkCancellation()
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
