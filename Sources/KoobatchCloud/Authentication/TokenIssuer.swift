import AsyncHTTPClient
import FoundationEssentials
import KoobatchCore
import Logging
import NIOCore
import NIOFoundationEssentialsCompat
import NIOHTTP1

/// A token of IAM and how long it lives.
struct IssuedToken: Sendable {
    let text: String
    /// When it was asked for, by a clock that is never set.
    let issuedAt: Duration
    /// How long it lives from then on.
    let life: Duration
}

/// IAM, which sells tokens for a password: `POST /v3/auth/tokens`.
struct TokenIssuer: Sendable {
    /// What is assumed of a token whose end cannot be read, or has come by the clock of IAM.
    private static let shortLife = Duration.seconds(3_600)

    private let login: PasswordLogin
    let password: SecretFile
    private let http: HTTPClient
    private let proxy: Proxy?
    private let timeout: Duration
    private let userAgent: String
    private let now: @Sendable () -> Timestamp
    private let uptime: @Sendable () -> Duration
    private let timeLimit: TimeLimit

    init(
        _ login: PasswordLogin,
        _ configuration: KooPhoneClient.Configuration,
        http: HTTPClient,
        logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        uptime: @escaping @Sendable () -> Duration,
        timer: LimitTimer
    ) {
        self.login = login
        self.http = http
        proxy = configuration.network.route(to: login.endpoint).proxy
        self.now = now
        self.uptime = uptime
        timeout = configuration.timeout
        timeLimit = TimeLimit(configuration.timeout, timer: timer)
        userAgent = configuration.userAgent
        password = SecretFile(path: login.passwordFile, kind: .password, logger: logger)
    }

    /// Asks for a token.
    ///
    /// - Throws: a failure of credentials, whatever the cause: without a token nothing can be sent.
    func issue() async throws(ServiceFailure) -> IssuedToken {
        let secret = try password.secret()
        var request = HTTPClientRequest(url: login.endpoint.url + "/v3/auth/tokens?nocatalog=true")
        request.method = .POST
        request.headers = [
            "Content-Type": "application/json", "User-Agent": userAgent, "Accept-Encoding": "identity",
        ]
        request.body = .bytes(ByteBuffer(bytes: body(password: secret)))
        let complete = request
        let issuedAt = uptime()
        let response: (head: HTTPClientResponse, body: ByteBuffer)
        do {
            response = try await timeLimit.run {
                let head = try await http.execute(complete, deadline: .distantFuture)
                return (head, try await head.body.collect(upTo: KooPhoneClient.longestAnswer))
            }
        } catch {
            let failure = TransportFailure(
                error: error,
                began: nil,
                host: login.endpoint.host,
                proxy: proxy,
                timeout: timeout
            ).classified
            if failure.errorCode == ServiceFailure.Code.interrupted { throw TransportFailure.interruptedBefore }
            if failure.errorCode == ServiceFailure.Code.resources { throw failure }
            throw Self.failure(failure.message)
        }
        // Its clock, where it tells: ours may be wrong.
        let serverNow = response.head.headers.first(name: "Date").flatMap(RetryAfter.date) ?? now()
        let status = Int(response.head.status.code)
        let redactor = Redactor(secret)
        let isSuccess = AnswerEvidence.mayAccept(status: status)
        guard let text = response.head.headers.first(name: "X-Subject-Token"), isSuccess,
            SecretFile.Kind.token.isValid(text)
        else {
            let retryAfter = RetryAfter.duration(response.head.headers["Retry-After"], now: serverNow)
            let evidence = AnswerEvidence(status: status, verdict: nil, retryAfter: retryAfter).failure
            if evidence.outcome == .unauthenticated { password.refused(secret) }
            let isOurs = evidence.outcome == .unauthenticated || evidence.endpointFault == .certain
            let isEmpty = isSuccess ? " and no usable X-Subject-Token" : ""
            throw Self.failure(
                "IAM answered with status \(status)\(isEmpty)\(Self.explanation(response.body, hiding: redactor))"
                    + (isOurs ? "; check user, domain, project and password of koophone.auth" : "; it is asked again"),
                status: status,
                retryAfter: retryAfter
            )
        }
        let life = Self.end(response.body).map { $0 - serverNow } ?? .zero
        return IssuedToken(text: text, issuedAt: issuedAt, life: life > .zero ? life : Self.shortLife)
    }

    private func body(password: String) -> [UInt8] {
        var bytes = Array(#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"#.utf8)
        bytes.appendJSON(login.user)
        bytes += Array(#","password":"#.utf8)
        bytes.appendJSON(password)
        bytes += Array(#","domain":{"name":"#.utf8)
        bytes.appendJSON(login.domain)
        bytes += Array(#"}}}},"scope":{"project":{"name":"#.utf8)
        bytes.appendJSON(login.project)
        bytes += Array("}}}}".utf8)
        return bytes
    }

    private static func failure(_ message: String, status: Int? = nil, retryAfter: Duration? = nil) -> ServiceFailure {
        ServiceFailure(
            .unauthenticated,
            httpStatus: status,
            errorCode: ServiceFailure.Code.credentials,
            message: "no token: \(message)",
            retryAfter: retryAfter
        )
    }

    private static func explanation(_ body: ByteBuffer, hiding redactor: Redactor) -> String {
        do {
            let message = try JSONDecoder().decode(IAMRefusal.self, from: body).error.message
            return " (\(redactor.shown(message)))"
        } catch {
            return ""
        }
    }

    /// Reads `2026-01-02T03:04:05.123456Z`, cut to milliseconds.
    private static func end(_ body: ByteBuffer) -> Timestamp? {
        do {
            let text = try JSONDecoder().decode(IAMToken.Description.self, from: body).token.expiresAt
            return Timestamp(text.prefix(23) + "Z")
        } catch {
            return nil
        }
    }
}

private struct IAMRefusal: Decodable {
    struct Explanation: Decodable {
        let message: String
    }

    let error: Explanation
}

extension IAMToken {
    /// The part of IAM's answer that says how long a token lives.
    fileprivate struct Description: Decodable {
        struct Token: Decodable {
            let expiresAt: String

            enum CodingKeys: String, CodingKey {
                case expiresAt = "expires_at"
            }
        }

        let token: Token
    }
}
