import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A server on a real socket that plays a `HostileCloud`: one thread, which ends with the last reference.
final class HostileServer: Sendable {
    /// The system did not give it a socket.
    struct NoSocket: Error {
        let code: Int32
    }

    let port: UInt16
    private let cloud: Arc
    private let control: Int32

    /// The cloud, which the thread and the test share.
    final class Arc: Sendable {
        let value: Mutex<HostileCloud>

        init(_ cloud: HostileCloud) {
            value = Mutex(cloud)
        }
    }

    init(_ cloud: HostileCloud) throws {
        let (listener, port) = try Self.boundSocket()
        var pair: [Int32] = [0, 0]
        // A program that inherited its ends would keep this server from ever seeing that its thread has ended.
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else { throw NoSocket(code: errno) }
        let arc = Arc(cloud)
        (self.port, self.cloud, control) = (port, arc, pair[0])
        let end = pair[1]
        Thread.detachNewThread {
            var loop = HostileServerLoop(listener: listener, control: end, cloud: arc)
            loop.run()
        }
    }

    deinit {
        // The thread sees the end of its socket, closes everything, and its own end of the socket last.
        shutdown(control, Int32(SHUT_WR))
        var byte: UInt8 = 0
        while read(control, &byte, 1) > 0 {}
        close(control)
    }

    var endpoint: String { "http://127.0.0.1:\(port)" }

    var truth: ExchangeTruth { cloud.value.withLock { $0.truth } }

    func behave(_ isWell: Bool) {
        cloud.value.withLock { $0.isHostile = !isWell }
    }

    private static func boundSocket() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw NoSocket(code: errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001 as UInt32).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard bind(descriptor, address, length) == 0, listen(descriptor, 256) == 0 else { return -1 }
                return getsockname(descriptor, address, &length)
            }
        }
        guard status == 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { throw NoSocket(code: errno) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}
