import KoobatchCore
import Synchronization

/// What the API's clock said last; copies of a client share it.
final class LastServerTime: Sendable {
    private let state = Mutex<ServerTime?>(nil)

    var value: ServerTime? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
