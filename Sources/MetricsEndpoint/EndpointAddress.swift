/// Where the endpoint listens: this machine only.
public enum EndpointAddress: Hashable, Sendable, CustomStringConvertible {
    /// An address of the loopback interface; port 0 takes a free one.
    case loopback(host: String, port: Int)
    /// A socket in the file system.
    case unix(path: String)

    /// What a text that is no such address should be.
    public static let rule =
        "must be a loopback address with a port, such as 127.0.0.1:9464 or [::1]:9464, or unix:/run/koobatch/metrics.sock"

    /// The longest path of a Unix socket in bytes (`unix(7)`).
    private static let longestPath = 107

    /// Reads an address; `nil` for anything that is not one of this machine alone.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            guard path.hasPrefix("/"), !path.hasSuffix("/"), path.utf8.count <= Self.longestPath,
                !path.utf8.contains(0)
            else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), port <= 65_535
        else { return nil }
        switch text[..<colon] {
        case "127.0.0.1": self = .loopback(host: "127.0.0.1", port: port)
        case "[::1]": self = .loopback(host: "::1", port: port)
        default: return nil
        }
    }

    /// The address as it is configured.
    public var description: String {
        switch self {
        case .loopback("::1", let port): "[::1]:\(port)"
        case .loopback(let host, let port): "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
