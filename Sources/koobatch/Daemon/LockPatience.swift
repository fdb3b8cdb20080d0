import KoobatchCore
import KoobatchEngine
import KoobatchStore
import Logging

/// Waits at the start for as long as another program keeps the database locked, and says for whom.
///
/// SIGTERM ends the program meanwhile, and systemd is told that the start takes longer.
struct LockPatience {
    /// How long one attempt waits for the lock.
    static let step = Duration.seconds(5)
    /// Between two attempts: some kinds of lock are not waited for by SQLite.
    private static let pause = Duration.seconds(1)
    private static let longer = 60

    let database: String
    let serviceManager: ServiceManager
    let logger: Logger

    /// The value of the body, which is called again while it throws `StoreError.locked`.
    func waiting<Value>(_ body: () async throws -> Value) async throws -> Value {
        var told: String?
        while true {
            do {
                let value = try await body()
                if told != nil { logger.notice("The database is free again; the start goes on") }
                return value
            } catch StoreError.locked(_, let holder) {
                let holder = holder ?? "unknown"
                if told != holder {
                    logger.warning(
                        "Waiting for the database, which another program keeps locked",
                        metadata: [LogKeys.database: "\(database)", LogKeys.holder: "\(holder)"]
                    )
                }
                told = holder
                serviceManager.starting("Waiting for the database, locked by: \(holder)", seconds: Self.longer)
                try await ContinuousClock().sleep(for: Self.pause)
            }
        }
    }
}
