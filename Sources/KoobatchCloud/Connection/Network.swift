/// How requests get to a host: the proxy they go through and the certificate authorities that are trusted.
public struct Network: Hashable, Sendable {
    let proxy: Proxy?
    let noProxy: NoProxy
    let authorities: CertificateAuthorities?

    /// Creates a description.
    ///
    /// - Parameters:
    ///   - proxy: of requests that leave the machine; `nil` for none.
    ///   - noProxy: the hosts that go past it.
    ///   - authorities: are trusted beside those of the system.
    public init(proxy: Proxy? = nil, noProxy: NoProxy = NoProxy(), authorities: CertificateAuthorities? = nil) {
        self.proxy = proxy
        self.noProxy = noProxy
        self.authorities = authorities
    }

    /// Which way requests to an endpoint go.
    ///
    /// Those to a loopback address without TLS never go through a proxy, which would read the credentials, and for which the address is another machine.
    func route(to endpoint: Endpoint) -> Route {
        guard let proxy else { return .direct(reason: nil) }
        guard endpoint.hasTLS else { return .direct(reason: "a loopback address without TLS") }
        if let entry = noProxy.entry(for: endpoint.hostName, port: endpoint.port) {
            return .direct(reason: "NO_PROXY lists \(PlainText.bounded(entry, to: 60))")
        }
        return .through(proxy)
    }
}

/// Which way requests to a host go.
public enum Route: Hashable, Sendable, CustomStringConvertible {
    /// Straight to the host; with the reason where there is a proxy.
    case direct(reason: String?)
    /// Through a tunnel.
    case through(Proxy)

    var proxy: Proxy? {
        if case .through(let proxy) = self { proxy } else { nil }
    }

    /// The key or the variable that named the proxy, if requests go through one.
    public var source: String? { proxy?.source }

    /// In words, with what decided; never a credential.
    public var description: String {
        switch self {
        case .direct(nil): "direct"
        case .direct(let reason?): "direct (\(reason))"
        case .through(let proxy): "through the proxy \(proxy)"
        }
    }
}
