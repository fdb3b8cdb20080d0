import KoobatchCore
import KoobatchStore
import Logging

/// A stage's memory of a database that does not take its writes: a full disk, a lock that somebody keeps.
///
/// Says so once when it begins and once when it ends, and paces the attempts in between.
struct DatabaseErrorReporter {
    private static let pause = Duration.seconds(1)

    private let logger: Logger
    private let metrics = EngineMetrics()
    private var current: String?

    init(logger: Logger) {
        self.logger = logger
    }

    /// Notes a failure.
    ///
    /// - Returns: how long to wait before the next attempt.
    mutating func failed(_ error: any Error) -> Duration {
        metrics.databaseFailed()
        let text = "\(error)"
        if text != current {
            current = text
            logger.error(
                "Database write failed; retrying every second, nothing is lost",
                metadata: [LogKeys.message: "\(text)", LogKeys.advice: "\(DatabaseAdvice.on(error))"]
            )
        }
        return Self.pause
    }

    /// Notes a success.
    mutating func passed() {
        guard current != nil else { return }
        current = nil
        logger.notice("The database works again")
    }
}
