import Logging
import Synchronization

/// The level and the format of the log, which can change while the program runs.
final class LogControl: Sendable {
    private let state: Mutex<(level: Logger.Level, format: Settings.LogFormat)>

    init(level: Logger.Level, format: Settings.LogFormat) {
        state = Mutex((level, LogOutput.suitable(format)))
    }

    var level: Logger.Level { state.withLock { $0.level } }

    /// Never `auto`.
    var format: Settings.LogFormat { state.withLock { $0.format } }

    func change(level: Logger.Level, format: Settings.LogFormat) {
        state.withLock { $0 = (level, LogOutput.suitable(format)) }
    }
}
