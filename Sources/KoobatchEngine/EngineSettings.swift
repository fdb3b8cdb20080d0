import KoobatchStore
import Synchronization

/// The configuration in force, which can change while the engine runs; each stage reads it anew in each turn.
final class EngineSettings: Sendable {
    private let state: Mutex<Engine.Configuration>

    init(_ configuration: Engine.Configuration) {
        state = Mutex(configuration)
    }

    var current: Engine.Configuration {
        state.withLock { $0 }
    }

    /// Takes a new configuration.
    ///
    /// Whether results are polled stays as it was: what is awaited is settled when the daemon starts.
    ///
    /// - Returns: what is in force now.
    func change(to new: Engine.Configuration) -> Engine.Configuration {
        state.withLock { current in
            var next = new
            let polling = current.rules.polling == nil ? nil : new.rules.polling ?? current.rules.polling
            next.rules = SubmissionRules(backoff: new.rules.backoff, polling: polling)
            current = next
            return next
        }
    }
}
