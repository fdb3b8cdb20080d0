import KoobatchCore
import KoobatchStore
import Logging

/// Tells people that the write-ahead log grows: when it is as large as to be told, each time it has doubled since, and when
/// it is emptied.
struct LogGrowth {
    private let logger: Logger
    private var told: Int?

    init(logger: Logger) {
        self.logger = logger
    }

    /// Notes how large the log is.
    mutating func noted(_ log: WriteAheadLog) {
        if log.bytes >= told.map({ $0 * 2 }) ?? WriteAheadLog.warningSize {
            told = log.bytes
            logger.warning(
                "The write-ahead log grows: readers that overlap, or a transaction that lasts long, keep it from being emptied; end them, or leave a pause between them",
                metadata: [LogKeys.logBytes: "\(log.bytes)"]
            )
        } else if told != nil, !log.isLarge {
            told = nil
            logger.notice("The write-ahead log is emptied", metadata: [LogKeys.logBytes: "\(log.bytes)"])
        }
    }
}
