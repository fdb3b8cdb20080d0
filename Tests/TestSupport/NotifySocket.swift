import Foundation

/// The socket that systemd listens on for what a service says of itself (`sd_notify(3)`).
public final class NotifySocket {
    private let descriptor: Int32
    /// Where it is, for `NOTIFY_SOCKET`.
    public let path: String

    /// Binds a datagram socket.
    public init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EINVAL) }
    }

    deinit {
        close(descriptor)
    }

    /// The next message; `nil` if none comes in time.
    public func receive(within milliseconds: Int32 = 60_000) -> String? {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, milliseconds) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    /// Takes messages up to the first that holds a text, and returns it; `nil` if it does not come in time.
    public func receive(containing text: String, within milliseconds: Int32 = 60_000) -> String? {
        while let message = receive(within: milliseconds) {
            if message.contains(text) { return message }
        }
        return nil
    }
}
