#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The name of a Unix socket in the file system, which outlasts a program that ends without taking it away.
struct SocketFile: Sendable {
    private let path: String
    private let device: dev_t
    private let number: ino_t

    /// Remembers the socket that has just been bound to the path; `nil` if it is gone already.
    init?(boundTo path: String) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return nil }
        (self.path, device, number) = (path, facts.st_dev, facts.st_ino)
    }

    /// Takes the name away, unless it has become that of another socket.
    func remove() {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_dev == device, facts.st_ino == number else { return }
        unlink(path)
    }

    /// Takes away a socket that nobody listens to any more.
    ///
    /// - Throws: `MetricsEndpoint.CannotListen` where the path is taken by what is no such socket.
    static func clear(_ path: String) throws(MetricsEndpoint.CannotListen) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return }
        guard facts.st_mode & S_IFMT == S_IFSOCK else {
            throw .init(description: "there is something that is no socket; give another path")
        }
        switch answer(at: path) {
        case ECONNREFUSED: unlink(path)
        case ENOENT: break
        case 0, EAGAIN: throw .init(description: "the address is in use by another program; stop that, or give another")
        case let reason: throw .init(description: "the address is taken: \(String(cString: strerror(reason)))")
        }
    }

    /// What becomes of an attempt to connect, which does not wait: 0, or the number of the error.
    private static func answer(at path: String) -> Int32 {
        #if canImport(Glibc)
            let type = Int32(SOCK_STREAM.rawValue)
        #else
            let type = SOCK_STREAM
        #endif
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0
        else { return errno }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return ENAMETOOLONG }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return status == 0 ? 0 : errno
    }
}
