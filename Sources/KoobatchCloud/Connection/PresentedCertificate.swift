import AsyncHTTPClient
public import KoobatchCore
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The certificate that a host shows in a TLS handshake, for an operator who wants to know why it is not accepted.
public struct PresentedCertificate: Hashable, Sendable {
    /// Whom it is for.
    public let subject: String
    /// Who issued it.
    public let issuer: String
    /// When it begins to be valid.
    public let validFrom: Timestamp
    /// When it ends to be valid.
    public let validUntil: Timestamp
    /// The hosts that it is for, those with names.
    public let hosts: [String]

    /// Creates a description.
    public init(subject: String, issuer: String, validFrom: Timestamp, validUntil: Timestamp, hosts: [String]) {
        self.subject = subject
        self.issuer = issuer
        self.validFrom = validFrom
        self.validUntil = validUntil
        self.hosts = hosts
    }

    init?(_ certificate: NIOSSLCertificate) {
        do {
            guard let names = DistinguishedName.names(ofCertificate: try certificate.toDERBytes()) else { return nil }
            (subject, issuer) = (names.subject.text, names.issuer.text)
        } catch {
            return nil
        }
        validFrom = Timestamp(millisecondsSinceEpoch: Int64(certificate.notValidBefore) * 1_000)
        validUntil = Timestamp(millisecondsSinceEpoch: Int64(certificate.notValidAfter) * 1_000)
        hosts = certificate._subjectAlternativeNames().filter { $0.nameType == .dnsName }
            .map { PlainText.bounded(String(decoding: $0.contents, as: UTF8.self), to: 100) }
    }
}

extension KooPhoneClient.Configuration {
    /// Makes a TLS handshake with a host, the way that requests go, and ends it when the certificate is there: nothing is
    /// sent to a host that is not trusted.
    ///
    /// - Parameter ofIAM: whether to ask IAM, not the API.
    /// - Returns: the certificate; `nil` if the host shows none within ten seconds.
    public func presentedCertificate(ofIAM: Bool) async -> PresentedCertificate? {
        guard let endpoint = ofIAM ? tokenEndpoint : endpoint else { return nil }
        do {
            return try await Handshake(endpoint: endpoint, proxy: network.route(to: endpoint).proxy).certificate()
        } catch {
            return nil
        }
    }
}

/// A TLS handshake that is not to succeed.
private struct Handshake {
    private static let limit = TimeAmount.seconds(10)

    let endpoint: Endpoint
    let proxy: Proxy?

    func certificate() async throws -> PresentedCertificate? {
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.any()
        let found = loop.makePromise(of: PresentedCertificate?.self)
        let (endpoint, proxy) = (endpoint, proxy)
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(Self.limit).channelInitializer { channel in
            channel.closeFuture.whenComplete { _ in found.succeed(nil) }
            return channel.eventLoop.makeCompletedFuture {
                if let proxy {
                    try Self.addTunnel(to: endpoint, through: proxy, in: channel, found: found)
                } else {
                    try Self.addTLS(to: endpoint, in: channel, found: found)
                }
            }
        }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(
                host: proxy?.host ?? endpoint.hostName,
                port: proxy?.port ?? endpoint.port
            ).get()
        } catch {
            found.succeed(nil)
            throw error
        }
        let timer = loop.scheduleTask(in: Self.limit) { channel.close(promise: nil) }
        let certificate = try await found.futureResult.get()
        timer.cancel()
        channel.close(promise: nil)
        return certificate
    }

    private static func addTunnel(
        to endpoint: Endpoint,
        through proxy: Proxy,
        in channel: any Channel,
        found: EventLoopPromise<PresentedCertificate?>
    ) throws {
        let tunnel = channel.eventLoop.makePromise(of: Void.self)
        let login = proxy.login.map { HTTPClient.Authorization.basic(username: $0.user, password: $0.password) }
        let encoder = HTTPRequestEncoder()
        let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(encoder)
        try pipeline.addHandler(decoder)
        // Leaves by itself when there is a tunnel.
        try pipeline.addHandler(
            NIOHTTP1ProxyConnectHandler(
                targetHost: endpoint.hostName,
                targetPort: endpoint.port,
                headers: login.map { ["Proxy-Authorization": $0.headerValue] } ?? [:],
                deadline: .now() + limit,
                promise: tunnel
            )
        )
        tunnel.futureResult.assumeIsolated().whenComplete { result in
            guard case .success = result else { return channel.close(promise: nil) }
            // The decoder leaves after what it is decoding; until then it takes what is written for a request.
            pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
                pipeline.removeHandler(encoder).assumeIsolated().whenComplete { _ in
                    do {
                        try addTLS(to: endpoint, in: channel, found: found)
                    } catch {
                        channel.close(promise: nil)
                    }
                }
            }
        }
    }

    private static func addTLS(
        to endpoint: Endpoint,
        in channel: any Channel,
        found: EventLoopPromise<PresentedCertificate?>
    ) throws {
        let context = try NIOSSLContext(configuration: .makeClientConfiguration())
        let handler = try NIOSSLClientHandler(
            context: context,
            serverHostname: endpoint.isAddress ? nil : endpoint.hostName,
            customVerificationCallback: { certificates, verdict in
                found.succeed(certificates.first.flatMap(PresentedCertificate.init))
                verdict.succeed(.failed)
            }
        )
        try channel.pipeline.syncOperations.addHandler(handler)
    }
}
