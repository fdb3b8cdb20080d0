import Foundation

/// An HTTP proxy that opens tunnels (CONNECT); TLS to the API is inside the tunnel, so the proxy sees neither the
/// credentials of the API nor the requests.
public struct Proxy: Hashable, Sendable {
    /// A user of the proxy and the password.
    struct Login: Hashable, Sendable {
        let user: String
        let password: String
    }

    let host: String
    let port: Int
    /// What named the proxy: a key of the configuration or an environment variable.
    let source: String
    let login: Login?

    /// Checks the URL of a proxy: `http://HOST:PORT`, with or without the scheme.
    ///
    /// - Parameters:
    ///   - text: the URL.
    ///   - source: what named it, for messages.
    ///   - allowsUserInfo: whether the URL may hold a user and a password, which are never shown.
    /// - Throws: what is wrong with it, without its text: that may hold a password.
    public init(_ text: String, source: String, allowsUserInfo: Bool) throws(ProxyError) {
        let scheme = text.firstRange(of: "://").map { text[..<$0.lowerBound].lowercased() } ?? "http"
        guard scheme == "http" else { throw .scheme(scheme) }
        guard let parts = URLComponents(string: text.contains("://") ? text : "http://\(text)"),
            let name = parts.host, !name.isEmpty, ["", "/"].contains(parts.path), parts.query == nil,
            parts.fragment == nil
        else { throw .notURL }
        guard let port = parts.port else { throw .noPort }
        guard (1...65_535).contains(port) else { throw .notURL }
        let user = parts.user ?? ""
        guard allowsUserInfo || (user.isEmpty && parts.password == nil) else { throw .userInfo }
        host = name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name
        self.port = port
        self.source = source
        login = user.isEmpty ? nil : Login(user: user, password: parts.password ?? "")
    }

    private init(_ other: Proxy, login: Login) {
        (host, port, source) = (other.host, other.port, other.source)
        self.login = login
    }

    /// The same proxy with credentials (RFC 7617, basic).
    ///
    /// - Parameters:
    ///   - user: without a colon.
    ///   - passwordFile: is read now.
    /// - Throws: what is wrong with the user or the file, never what is in it.
    public func with(user: String, passwordFile: String) throws(ProxyError) -> Proxy {
        guard !user.contains(":") else { throw .colonInUser }
        let password: String
        do throws(SecretFile.Flaw) {
            password = try SecretFile.read(passwordFile, as: .proxyPassword).text
        } catch {
            throw .passwordFile("\(passwordFile) \(error)")
        }
        return Proxy(self, login: Login(user: user, password: password))
    }

    /// Host and port.
    var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Proxy: CustomStringConvertible {
    /// Host, port and what named the proxy; never its credentials.
    public var description: String { "\(address) (\(source))" }
}

/// Why a proxy cannot be used.
public enum ProxyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is not a URL with a host and nothing behind the port.
    case notURL
    /// It has another scheme than `http`.
    case scheme(String)
    /// It names no port.
    case noPort
    /// It holds a user name or a password.
    case userInfo
    /// The name of the user cannot be sent.
    case colonInUser
    /// The file with the password cannot be used.
    case passwordFile(String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .notURL:
            "is not the URL of a proxy; give one such as http://proxy.example.com:3128, or none for no proxy"
        case .scheme(let scheme):
            "the scheme \"\(PlainText.bounded(scheme, to: 20))\" cannot be used for a proxy; give the URL of one that"
                + " takes HTTP CONNECT, such as http://proxy.example.com:3128, or set koophone.proxy to none"
        case .noPort:
            "names no port, and programs differ in which one that means; give one: http://proxy.example.com:3128"
        case .userInfo:
            "must not hold a user name or a password, which everybody who reads the configuration or the log would see;"
                + " set koophone.proxy_user and koophone.proxy_password_file"
        case .colonInUser:
            "must not have a colon: the proxy takes what follows it for the password"
        case .passwordFile(let flaw):
            "the proxy password file \(flaw); write the password to it"
        }
    }
}
