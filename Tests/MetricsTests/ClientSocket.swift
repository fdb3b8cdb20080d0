import Foundation
import MetricsEndpoint

/// A connection of a client that sends what it likes.
final class ClientSocket: Sendable {
    struct Failure: Error {
        let call: String
        let code = errno
    }

    private let descriptor: Int32

    init(to address: EndpointAddress) throws {
        guard case .loopback(_, let port) = address else { throw Failure(call: "address") }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = in_port_t(port).bigEndian
        place.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0 else { throw Failure(call: "connect") }
    }

    deinit {
        close(descriptor)
    }

    /// Leaves a socket in the file system that nobody listens to, as a program does that is killed.
    static func leave(at path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard status == 0 else { throw Failure(call: "bind") }
    }

    /// Sends; a connection that the other side has closed takes nothing more.
    func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        let sent = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        if sent < 0, errno != EPIPE, errno != ECONNRESET { throw Failure(call: "send") }
    }

    /// What comes until the other side closes.
    func readToEnd() async throws -> String {
        try await blocking { try self.read() }
    }

    private func read() throws -> String {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == ECONNRESET { break }
            if count < 0 { throw Failure(call: "recv") }
            if count == 0 { break }
            all += buffer[..<count]
        }
        return String(decoding: all, as: UTF8.self)
    }
}

/// Runs what blocks on a thread of its own: the few threads that tasks share are for the server under test.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
