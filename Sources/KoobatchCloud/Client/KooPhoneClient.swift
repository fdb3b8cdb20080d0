import AsyncHTTPClient
public import KoobatchCore
public import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOSSL

/// The KooPhone API over HTTP/1.1.
///
/// It never repeats a request and never follows a redirect: what came of a request is told once, and what to do about
/// it is decided elsewhere. Requests go the way that the configuration says, and TLS certificates are verified against the
/// trust of the system and the authorities of the configuration. A connection is closed at a greatest age, so that a
/// change in DNS is followed under constant load. `shutdown()` must be called before the last reference goes.
public struct KooPhoneClient: CommandService {
    /// The longest answer that is read, in bytes: the results of 100 instances have 600 KiB at the most, and that only
    /// if every byte of their output is escaped.
    static let longestAnswer = 1 << 20

    /// How long a connection may lie idle; kept short, because a request on a connection that the other side has
    /// meanwhile closed ends as `unknown`.
    private static let idleTimeout = TimeAmount.seconds(10)

    /// The greatest age of a connection; a random part, so that they do not all end at once.
    static let connectionAge: @Sendable () -> TimeAmount = { .seconds(.random(in: 240...300)) }

    let logger: Logger
    private let configuration: Configuration
    private let authorizer: Authorizer
    /// Submissions and queries have connections of their own: an answer that goes astray on one kind cannot be taken for one of
    /// the other.
    private let submissions: HTTPClient
    private let queries: HTTPClient
    /// Each request has a new connection.
    private let freshSubmissions: HTTPClient
    /// For tokens; IAM may be reached another way than the API.
    private let tokens: HTTPClient
    private let requests: OpenRequests
    private let now: @Sendable () -> Timestamp
    private let timeLimit: TimeLimit
    private let heard = LastServerTime()

    /// Creates a client; it connects with its first request.
    ///
    /// - Parameters:
    ///   - configuration: where and how.
    ///   - logger: for what the API answers and nobody asked for, and for trouble with credentials.
    ///   - now: the wall clock, which dates in answers are compared with.
    public init(
        configuration: Configuration,
        logger: Logger,
        now: @escaping @Sendable () -> Timestamp = WallClock.now
    ) {
        self.init(configuration: configuration, logger: logger, now: now, timer: .system)
    }

    init(
        configuration: Configuration,
        logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        timer: LimitTimer,
        connectionAge: @escaping @Sendable () -> TimeAmount = Self.connectionAge
    ) {
        self.configuration = configuration
        self.logger = logger
        self.now = now
        timeLimit = TimeLimit(configuration.timeout, timer: timer)
        let requests = OpenRequests()
        func client(to endpoint: Endpoint, isFresh: Bool = false) -> HTTPClient {
            var transport = Self.transport(configuration, to: endpoint)
            if isFresh {
                transport.maximumUsesPerConnection = 1
                // One that was made for a request that was cancelled is not fresh for long.
                transport.connectionPool.idleTimeout = .seconds(1)
            }
            transport.http1_1ConnectionDebugInitializer = { channel in
                ResponseScreen.install(
                    in: channel,
                    longest: Self.longestAnswer,
                    age: connectionAge(),
                    requests: requests
                )
            }
            return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: transport)
        }
        submissions = client(to: configuration.endpoint)
        queries = client(to: configuration.endpoint)
        freshSubmissions = client(to: configuration.endpoint, isFresh: true)
        tokens = client(to: configuration.tokenEndpoint ?? configuration.endpoint)
        self.requests = requests
        authorizer = Authorizer(configuration, http: tokens, logger: logger, now: now, timer: timer)
    }

    /// Whether the file with the secret has changed since it was last read.
    public var hasNewCredentials: Bool { authorizer.hasNewCredentials }

    /// Notes that the API refused the credentials of an earlier daemon: how often in a row is not known any more, and an
    /// access key that fails once too often is locked.
    public func credentialsWereRefusedBefore() {
        if case .accessKey(let signer) = authorizer { signer.wasRefusedBefore() }
    }

    /// What the `Date` of the last answer said that had one.
    public var serverTime: ServerTime? { heard.value }

    /// Reads the file again, or asks for another token, before the next request.
    public func renewCredentials() { authorizer.renew() }

    /// Reads the file again before the next request; a token that IAM has issued stays in use.
    public func readSecretAgain() { authorizer.readSecretAgain() }

    /// Ends every request in flight and closes the connections.
    ///
    /// It waits for connections that are being made, for at most their time limit of 10 seconds.
    public func shutdown() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for client in [submissions, queries, freshSubmissions, tokens] {
                group.addTask { try await client.shutdown() }
            }
        }
    }

    private static func transport(
        _ configuration: Configuration,
        to endpoint: Endpoint
    ) -> HTTPClient.Configuration {
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: idleTimeout)
        pool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.connections
        pool.retryConnectionEstablishment = false
        var transport = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(min(configuration.timeout, .seconds(10)))),
            connectionPool: pool,
            proxy: configuration.network.route(to: endpoint).proxy.map { HTTPClient.Configuration.Proxy($0) },
            // Requests ask for none; a proxy may compress all the same.
            decompression: .enabled(limit: .size(longestAnswer))
        )
        // Spans that nobody collects would cost each request a parse of its URL.
        transport.tracing.tracer = nil
        if let authorities = configuration.network.authorities {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.certificates(authorities.certificates)]
            transport.tlsConfiguration = tls
        }
        transport.httpVersion = .http1Only
        return transport
    }
}

extension KooPhoneClient {
    /// Sends a request and reads its answer.
    ///
    /// - Parameters:
    ///   - method: of the request.
    ///   - path: below the endpoint, percent-encoded, with a leading slash.
    ///   - requestID: sent as `x-request-id`.
    ///   - body: JSON, or nothing.
    ///   - isFresh: whether a new connection must be made for it.
    ///   - reader: makes the reader of `data`, which must hide the secret.
    ///   - look: sees the answer before it is read.
    /// - Returns: what the reader makes of an answer whose code is `"0"`.
    func send<Reader: DataReader>(
        _ method: HTTPMethod,
        _ path: String,
        requestID: RequestID,
        body: [UInt8] = [],
        isFresh: Bool = false,
        reader: (Redactor) -> Reader,
        look: (HTTPAnswer) -> Void = { _ in }
    ) async throws(ServiceFailure) -> Reader.Content {
        guard !Task.isCancelled else { throw TransportFailure.interruptedBefore }
        var request = HTTPClientRequest(url: configuration.endpoint.url + path)
        request.method = method
        request.headers = [
            "User-Agent": configuration.userAgent,
            "Accept-Encoding": "identity",
            "x-request-id": requestID.rawValue,
        ]
        if !body.isEmpty { request.headers.add(name: "Content-Type", value: "application/json") }
        let proof = try await authorizer.authorize(&request, path: configuration.endpoint.path + path, body: body)
        let redactor = Redactor(proof.secret)
        defer { requests.ended(requestID.rawValue) }
        do {
            let answer = try await exchange(request, body: body, isFresh: isFresh)
            if let date = answer.date { heard.value = ServerTime(date: date, wall: now()) }
            look(answer)
            let hiding = answer.body.withUnsafeReadableBytes { redactor.reduced(to: $0) }
            let content = try answer.content(reader(hiding), hiding: hiding, now: now())
            authorizer.accepted()
            return content
        } catch {
            if error.errorCode == ServiceFailure.Code.contradiction { requests.closeConnection(of: requestID.rawValue) }
            let failure = error.with(message: redactor.hiding(error.message))
            if failure.outcome == .unauthenticated { throw authorizer.refused(proof, failure) }
            // An answer about the request itself: whoever signed it was accepted.
            if failure.outcome == .refused, !failure.isOfEndpoint { authorizer.accepted() }
            throw failure
        }
    }

    private func exchange(
        _ request: HTTPClientRequest,
        body: [UInt8],
        isFresh: Bool
    ) async throws(ServiceFailure) -> HTTPAnswer {
        let mark = SendingMark()
        var request = request
        if !body.isEmpty {
            request.body = .bytes(MarkedBody(body, mark: mark), length: .known(Int64(body.count)))
        }
        let marked = request
        let http = body.isEmpty ? queries : isFresh ? freshSubmissions : submissions
        do {
            return try await timeLimit.run {
                let response = try await http.execute(marked, deadline: .distantFuture)
                return try await HTTPAnswer(response, longest: Self.longestAnswer)
            }
        } catch {
            throw TransportFailure(
                error: error,
                began: body.isEmpty ? nil : mark.isSet,
                host: configuration.endpoint.host,
                proxy: configuration.network.route(to: configuration.endpoint).proxy,
                timeout: configuration.timeout
            ).classified
        }
    }
}

extension HTTPClient.Configuration.Proxy {
    fileprivate init(_ proxy: Proxy) {
        self = .server(
            host: proxy.host,
            port: proxy.port,
            authorization: proxy.login.map { .basic(username: $0.user, password: $0.password) }
        )
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        self = .milliseconds(max(1, duration.wholeMilliseconds))
    }
}
