import KoobatchCore
import Logging
import ServiceLifecycle

/// Sends systemd the watchdog keep-alive for as long as the engine makes progress.
///
/// A stall is logged with what stands still; systemd hears nothing more then, and restarts the daemon.
struct Watchdog: Service {
    /// The least time that a turn may take: twice as long as the database waits for somebody else's lock.
    private static let leastLimit = Duration.seconds(10)

    private let limit: Duration
    private let interval: Duration
    private let findStall: @Sendable (_ limit: Duration) -> Stall?
    private let serviceManager: ServiceManager
    private let logger: Logger

    /// Creates a watchdog; `nil` where systemd does not want one.
    ///
    /// - Parameter findStall: answers at once, whatever stands still.
    init?(
        serviceManager: ServiceManager,
        logger: Logger,
        findStall: @escaping @Sendable (_ limit: Duration) -> Stall?
    ) {
        guard let wanted = serviceManager.watchdogInterval else { return nil }
        interval = wanted / 4
        limit = max(wanted / 2, Self.leastLimit)
        self.findStall = findStall
        self.serviceManager = serviceManager
        self.logger = logger
    }

    /// Watches until the other services have ended.
    func run() async {
        let (triggers, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    do {
                        while true {
                            continuation.yield()
                            try await ContinuousClock().sleep(for: interval)
                        }
                    } catch {
                        continuation.finish()
                    }
                }
                await run(triggers: triggers)
            }
        }
    }

    /// Looks once for every trigger, until there are no more.
    func run(triggers: some AsyncSequence<Void, Never>) async {
        var isStalled = false
        for await _ in triggers {
            let stall = findStall(limit)
            if let stall, !isStalled {
                logger.critical(
                    "Daemon stalled; withholding the watchdog keep-alive",
                    metadata: [LogKeys.stall: "\(stall)"]
                )
            } else if stall == nil, isStalled {
                logger.notice("Daemon works again; sending the watchdog keep-alive")
            }
            isStalled = stall != nil
            if !isStalled { serviceManager.alive() }
        }
    }
}
