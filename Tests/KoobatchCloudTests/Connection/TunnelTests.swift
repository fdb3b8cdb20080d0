import KoobatchCore
import ServiceConformance
import Testing

@testable import KoobatchCloud

/// Requests through a proxy, and trust in an authority of one's own.
@Suite(.enabled(if: PrivateAuthority.isAvailable))
struct TunnelTests {
    private static let endpoint = "https://koophone.test"

    private let authority: PrivateAuthority
    private let trust: CertificateAuthorities

    init() throws {
        authority = try PrivateAuthority()
        trust = try CertificateAuthorities(file: authority.file)
    }

    private func network(proxy port: Int, trusting: Bool = true, login: String = "") throws -> Network {
        Network(
            proxy: try Proxy("http://\(login)127.0.0.1:\(port)", source: "koophone.proxy", allowsUserInfo: true),
            authorities: trusting ? trust : nil
        )
    }

    @Test
    func `Requests go through a tunnel with TLS inside, to a host that only the proxy knows`() async throws {
        try await RawServer.serving(.answer(RawServer.acceptance), tls: try authority.server()) { server, api in
            try await ConnectProxy.serving(.tunnel(port: api)) { proxy, port in
                try await withClient(of: Self.endpoint, network: try network(proxy: port)) { client in
                    let accepted = try await client.submit(.sample())
                    #expect(accepted.taskID == "t")
                    #expect(await client.failure(of: .sample(needsFreshConnection: true)) == nil)
                    _ = await client.failure(ofTask: "t")
                }
                #expect(Set(proxy.requests) == ["CONNECT koophone.test:443 HTTP/1.1"])
                #expect(proxy.requests.count == 3 && server.received.count == 3)
            }
        }
    }

    @Test
    func `Credentials reach the proxy, and the API's do not`() async throws {
        try await RawServer.serving(.answer(RawServer.acceptance), tls: try authority.server()) { server, api in
            try await ConnectProxy.serving(.tunnelFor(user: "u", password: "p@ss", port: api)) { _, port in
                let right = try network(proxy: port, login: "u:p%40ss@")
                try await withClient(of: Self.endpoint, network: right) { client in
                    #expect(await client.failure() == nil)
                }
                for (login, key) in [("", "asks for credentials"), ("u:secret-word@", "refuses the credentials")] {
                    let wrong = try network(proxy: port, login: login)
                    try await withClient(of: Self.endpoint, network: wrong) { client in
                        let failure = try #require(await client.failure())
                        #expect(failure.outcome == .notSent && failure.endpointFault == .certain)
                        #expect(failure.message.contains("\(key) (407)"))
                        #expect(failure.message.contains("koophone.proxy_user") && !failure.message.contains("secret"))
                    }
                }
            }
            #expect(server.received.allSatisfy { !$0.lowercased().contains("proxy-authorization") })
        }
    }

    @Test(
        arguments: [
            (.refuse("403 Forbidden"), "refuses a tunnel to koophone.test"),
            (.refuse("502 Bad Gateway"), "refuses a tunnel to koophone.test"),
            (.hangUp, "no connection to koophone.test through the proxy 127.0.0.1"),
        ] as [(ConnectProxy.Conduct, String)]
    )
    func `A proxy that makes no tunnel is a fault of the endpoint, and nothing was sent`(
        _ conduct: ConnectProxy.Conduct,
        _ words: String
    ) async throws {
        try await ConnectProxy.serving(conduct) { _, port in
            try await withClient(of: Self.endpoint, network: try network(proxy: port)) { client in
                let failure = try #require(await client.failure())
                #expect(failure.outcome == .notSent && failure.isOfEndpoint)
                #expect(failure.errorCode == ServiceFailure.Code.connect)
                #expect(failure.message.contains(words), "\(failure.message)")
            }
        }
    }

    @Test
    func `A proxy that is not there is named`() async throws {
        let refusing = try RefusingPort()
        try await withClient(of: Self.endpoint, network: try network(proxy: refusing.port)) { client in
            let failure = try #require(await client.failure())
            #expect(failure.outcome == .notSent && failure.isOfEndpoint)
            let words = "no connection to the proxy 127.0.0.1:\(refusing.port) (koophone.proxy): "
            #expect(failure.message.hasPrefix(words) && failure.message.contains("refused"), "\(failure.message)")
        }
    }

    @Test
    func `A loopback address without TLS and a host of NO_PROXY go past the proxy`() async throws {
        let refusing = try RefusingPort()
        let proxy = try Proxy("127.0.0.1:\(refusing.port)", source: "HTTPS_PROXY", allowsUserInfo: true)
        try await RawServer.serving(.answer(RawServer.acceptance)) { _, port in
            try await withClient(of: "http://127.0.0.1:\(port)", network: Network(proxy: proxy)) { client in
                #expect(await client.failure() == nil)
            }
        }
        let tls = try authority.server(hosts: ["localhost"])
        try await RawServer.serving(.answer(RawServer.acceptance), tls: tls) { _, port in
            let network = Network(proxy: proxy, noProxy: NoProxy("localhost"), authorities: trust)
            try await withClient(of: "https://localhost:\(port)", network: network) { client in
                #expect(await client.failure() == nil)
            }
        }
    }

    @Test
    func `Tokens are asked for through the proxy too`() async throws {
        let password = try ScratchFile("pw")
        let login = try PasswordLogin(
            endpoint: "https://iam.koophone.test",
            user: "u",
            domain: "d",
            project: "p",
            passwordFile: password.path
        )
        let token = RawServer.http("201 Created", headers: ["X-Subject-Token: issued"], "{}")
        let tls = try authority.server(hosts: ["iam.koophone.test"])
        try await RawServer.serving(.answer(token), tls: tls) { _, iam in
            try await ConnectProxy.serving(.tunnel(port: iam)) { proxy, port in
                let network = try network(proxy: port)
                try await withClient(of: Self.endpoint, credentials: .password(login), network: network) { client in
                    // The proxy takes the API for IAM, whose certificate is for another host.
                    let failure = try #require(await client.failure())
                    #expect(failure.outcome == .notSent)
                    #expect(failure.message.contains("the certificate is for other hosts"), "\(failure.message)")
                }
                #expect(proxy.requests.first == "CONNECT iam.koophone.test:443 HTTP/1.1")
            }
        }
    }

    @Test
    func `An authority that is not trusted is told in words, and nothing was sent`() async throws {
        try await RawServer.serving(.answer(RawServer.acceptance), tls: try authority.server()) { server, api in
            try await ConnectProxy.serving(.tunnel(port: api)) { _, port in
                let network = try network(proxy: port, trusting: false)
                try await withClient(of: Self.endpoint, network: network) { client in
                    let failure = try #require(await client.failure())
                    #expect(failure.outcome == .notSent && failure.errorCode == ServiceFailure.Code.connect)
                    #expect(failure.message.contains("TLS handshake failed: the certificate of the host is not"))
                    #expect(!failure.message.contains("/"), "\(failure.message)")
                }
                let configuration = try KooPhoneClient.Configuration(
                    endpoint: Self.endpoint,
                    credentials: .tokenFile(path: ""),
                    timeout: .seconds(5),
                    connections: 1,
                    userAgent: "koobatch/test",
                    network: network
                )
                let shown = try #require(await configuration.presentedCertificate(ofIAM: false))
                #expect(shown.subject == "CN=koophone.test" && shown.issuer == "O=Example, CN=Example Private CA")
                #expect(shown.hosts == ["koophone.test"] && shown.validFrom < WallClock.now())
                #expect(shown.validUntil > WallClock.now())
            }
            #expect(server.received.isEmpty)
        }
    }

    @Test
    func `Another authority is not trusted`() async throws {
        let other = try PrivateAuthority("Another CA")
        try await RawServer.serving(.answer(RawServer.acceptance), tls: try other.server(hosts: ["localhost"])) {
            _,
            port in
            try await withClient(of: "https://localhost:\(port)", network: Network(authorities: trust)) { client in
                #expect(await client.failure()?.outcome == .notSent)
            }
        }
    }

    @Test(
        arguments: [
            ("", "is empty"), (" \n", "is empty"), ("hello", "holds no certificate in PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ]
    )
    func `A file without certificates is refused with what is wrong`(_ text: String, _ words: String) throws {
        let file = try ScratchFile(text)
        let error = #expect(throws: CertificateAuthoritiesError.self) { try CertificateAuthorities(file: file.path) }
        #expect(error?.description.contains(words) == true)
        let missing = #expect(throws: CertificateAuthoritiesError.self) { try CertificateAuthorities(file: "/no/file") }
        #expect(missing?.description.contains("/no/file cannot be read: No such file or directory") == true)
        let folder = #expect(throws: CertificateAuthoritiesError.self) { try CertificateAuthorities(file: "/") }
        #expect(folder?.description.contains("/ is not a file") == true)
    }
}
