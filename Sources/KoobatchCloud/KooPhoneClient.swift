import AsyncHTTPClient
public import KoobatchCore
public import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPCompression

/// The KooPhone API over HTTP/1.1.
///
/// It never repeats a request and never follows a redirect: what came of a request is told once, and what to do about
/// it is decided elsewhere. Proxies are not used, and TLS certificates are verified against the trust of the system.
/// `shutdown()` must be called before the last reference goes.
public struct KooPhoneClient: CommandService {
    /// The longest answer that is read, in bytes: the results of 100 instances have 600 KiB at the most, and that only
    /// if every byte of their output is escaped.
    static let longestAnswer = 1 << 20

    /// How long a connection may lie idle; kept short, because a request on a connection that the other side has
    /// meanwhile closed ends as `unknown`.
    private static let idleTimeout = TimeAmount.seconds(10)

    let logger: Logger
    private let configuration: Configuration
    private let authorizer: Authorizer
    /// Submissions and queries have connections of their own: an answer that goes astray on one kind cannot be taken for one of
    /// the other.
    private let submissions: HTTPClient
    private let queries: HTTPClient
    private let requests: OpenRequests
    private let now: @Sendable () -> Timestamp
    private let pause: Pause
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
        self.init(configuration: configuration, logger: logger, now: now) { try await Task.sleep(for: $0) }
    }

    init(
        configuration: Configuration,
        logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        pause: @escaping Pause
    ) {
        self.configuration = configuration
        self.logger = logger
        self.now = now
        self.pause = pause
        let requests = OpenRequests()
        let clients = (0..<2).map { _ in
            HTTPClient(
                eventLoopGroup: HTTPClient.defaultEventLoopGroup,
                configuration: Self.transport(configuration, requests)
            )
        }
        (submissions, queries) = (clients[0], clients[1])
        self.requests = requests
        authorizer = Authorizer(configuration, http: queries, logger: logger, now: now, pause: pause)
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

    /// Ends every request in flight and closes the connections.
    ///
    /// It waits for connections that are being made, for at most their time limit of 10 seconds.
    public func shutdown() async throws {
        try await submissions.shutdown()
        try await queries.shutdown()
    }

    private static func transport(
        _ configuration: Configuration,
        _ requests: OpenRequests
    ) -> HTTPClient.Configuration {
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: idleTimeout)
        pool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.connections
        pool.retryConnectionEstablishment = false
        var transport = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(min(configuration.timeout, .seconds(10)))),
            connectionPool: pool,
            proxy: nil,
            // Requests ask for none; a proxy may compress all the same.
            decompression: .enabled(limit: .size(longestAnswer))
        )
        transport.httpVersion = .http1Only
        transport.http1_1ConnectionDebugInitializer = { channel in
            ResponseScreen.install(in: channel, longest: longestAnswer, requests: requests)
        }
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
    ///   - reader: makes the reader of `data`, which must hide the secret.
    ///   - look: sees the answer before it is read.
    /// - Returns: what the reader makes of an answer whose code is `"0"`.
    func send<Reader: DataReader>(
        _ method: HTTPMethod,
        _ path: String,
        requestID: RequestID,
        body: [UInt8] = [],
        reader: (Redactor) -> Reader,
        look: (Answer) -> Void = { _ in }
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
            let answer = try await exchange(request, body: body)
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

    private func exchange(_ request: HTTPClientRequest, body: [UInt8]) async throws(ServiceFailure) -> Answer {
        let mark = SendingMark()
        var request = request
        if !body.isEmpty {
            request.body = .bytes(MarkedBody(body, mark: mark), length: .known(Int64(body.count)))
        }
        let marked = request
        let http = body.isEmpty ? queries : submissions
        do {
            return try await withTimeout(configuration.timeout, pause: pause) {
                let response = try await http.execute(marked, deadline: .distantFuture)
                return try await Answer(response, longest: Self.longestAnswer)
            }
        } catch {
            throw TransportFailure(
                error: error,
                began: body.isEmpty ? nil : mark.isSet,
                host: configuration.endpoint.host,
                timeout: configuration.timeout
            ).classified
        }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        self = .milliseconds(max(1, duration.wholeMilliseconds))
    }
}
