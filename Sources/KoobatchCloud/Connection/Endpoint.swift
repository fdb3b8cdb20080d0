import Foundation

/// The URL that the paths of the API are appended to.
struct Endpoint: Hashable, Sendable {
    /// The URL without a slash at its end.
    let url: String
    /// The path of the URL, each segment percent-encoded, without a slash at its end.
    let path: String
    /// The host, and the port if it is given.
    let host: String
    /// The host alone, an IPv6 address without brackets.
    let hostName: String
    /// The port, given or usual.
    let port: Int
    let hasTLS: Bool

    /// Checks the text of an endpoint.
    init(_ text: String) throws(EndpointError) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased() else {
            throw .notURL(text)
        }
        guard scheme == "https" || scheme == "http" else { throw .scheme(scheme) }
        guard parts.user == nil, parts.password == nil else { throw .userInfo }
        guard parts.query == nil, parts.fragment == nil else { throw .queryOrFragment }
        guard let host = parts.host?.lowercased(), Self.isHost(host) else { throw .notURL(text) }
        if let port = parts.port, !(1...65_535).contains(port) { throw .notURL(text) }
        guard scheme == "https" || Self.isLoopback(host) else { throw .plainHTTP(host) }
        let authority = parts.port.map { "\(host):\($0)" } ?? host
        path = parts.percentEncodedPath.split(separator: "/").map { segment in
            "/" + PathSegment.encoded(segment.removingPercentEncoding ?? String(segment))
        }.joined()
        self.url = "\(scheme)://\(authority)\(path)"
        self.host = authority
        hostName = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        hasTLS = scheme == "https"
        port = parts.port ?? (hasTLS ? 443 : 80)
    }

    /// Whether the host is an address and not a name.
    var isAddress: Bool { NoProxy.bytes(ofAddress: hostName) != nil }

    private static func isHost(_ host: String) -> Bool {
        if host.hasPrefix("[") { return host.hasSuffix("]") && host.utf8.count > 2 }
        return !host.isEmpty
            && host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// Why a text is no endpoint.
public enum EndpointError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is not an absolute URL with a host.
    case notURL(String)
    /// It has another scheme than `https` or `http`.
    case scheme(String)
    /// It holds a user name or a password.
    case userInfo
    /// It holds a query or a fragment.
    case queryOrFragment
    /// It would send the credentials unencrypted to another machine.
    case plainHTTP(String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .notURL(let text):
            "\"\(text)\" is not the URL of an API; give one such as https://koophone.example.com"
        case .scheme(let scheme):
            "the scheme \"\(scheme)\" cannot be used; give an https URL"
        case .userInfo:
            "the URL must not hold a user name or a password; give credentials with koophone.auth"
        case .queryOrFragment:
            "the URL must not hold a query (?) or a fragment (#); give only scheme, host and path"
        case .plainHTTP(let host):
            "http would send the credentials to \(host) unencrypted; use https (http is for loopback addresses only)"
        }
    }
}
