import NIOCore
import Synchronization

/// Knows the connection of each request that is out, so that one whose answers are not its requests' can be closed.
final class OpenRequests: Sendable {
    private let channels = Mutex<[String: any Channel]>([:])

    /// Notes that a request is being written to a connection.
    func began(_ requestID: String, on channel: any Channel) {
        channels.withLock { $0[requestID] = channel }
    }

    /// Forgets a request whose answer was read.
    func ended(_ requestID: String) {
        _ = channels.withLock { $0.removeValue(forKey: requestID) }
    }

    /// Closes the connection of a request whose answer is that of another.
    func closeConnection(of requestID: String) {
        channels.withLock { $0[requestID] }?.close(promise: nil)
    }
}
