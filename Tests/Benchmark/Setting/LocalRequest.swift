import Foundation

/// An HTTP request to a program of this machine, cheap enough to be sent in the midst of a measurement.
enum LocalRequest {
    enum Address {
        case port(Int)
        case socket(String)
    }

    /// Sends a request on a connection of its own and returns the body of the answer.
    static func send(_ method: String, _ path: String, body: String = "", to address: Address) throws -> String {
        let descriptor = try connection(to: address)
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        try handle.write(contentsOf: Data("\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
        let answer = try handle.readToEnd() ?? Data()
        guard let end = answer.firstRange(of: Data("\r\n\r\n".utf8)) else {
            throw Failed(description: "\(method) \(path): no answer")
        }
        let lines = String(decoding: answer[..<end.lowerBound], as: UTF8.self)
        let content = String(decoding: answer[end.upperBound...], as: UTF8.self)
        guard lines.hasPrefix("HTTP/1.1 2"), !lines.lowercased().contains("transfer-encoding") else {
            throw Failed(description: "\(method) \(path): \(lines)\n\(content)")
        }
        return content
    }

    private static func connection(to address: Address) throws -> Int32 {
        let family =
            switch address {
            case .port: AF_INET
            case .socket: AF_UNIX
            }
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let status =
            switch address {
            case .port(let port): connect(descriptor, internet(port))
            case .socket(let path): connect(descriptor, local(path))
            }
        guard descriptor >= 0, status == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw Failed(description: "\(address): \(reason)")
        }
        return descriptor
    }

    private static func connect<Address>(_ descriptor: Int32, _ address: Address) -> Int32 {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    private static func internet(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return address
    }

    private static func local(_ path: String) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return address
    }
}
