import AsyncHTTPClient
import KoobatchCore
import Logging
import NIOHTTP1

/// Puts into requests what proves who asks.
enum Authorizer: Sendable {
    /// What a request was sent with, to be named when the API refuses it.
    struct Proof: Sendable {
        let secret: String
    }

    case tokenFile(SecretFile)
    case password(IAMToken, file: SecretFile)
    case accessKey(RequestSigner)

    init(
        _ configuration: KooPhoneClient.Configuration,
        http: HTTPClient,
        logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        timer: LimitTimer
    ) {
        switch configuration.credentials {
        case .tokenFile(let path):
            self = .tokenFile(SecretFile(path: path, kind: .token, logger: logger))
        case .password(let login):
            let issuer = TokenIssuer(
                login,
                configuration,
                http: http,
                logger: logger,
                now: now,
                uptime: WallClock.uptime,
                timer: timer
            )
            self = .password(
                IAMToken(logger: logger, uptime: WallClock.uptime) { () throws(ServiceFailure) in
                    try await issuer.issue()
                },
                file: issuer.password
            )
        case .accessKey(let key):
            self = .accessKey(RequestSigner(key, host: configuration.endpoint.host, logger: logger, now: now))
        }
    }

    /// Adds the headers to a request.
    ///
    /// - Parameters:
    ///   - request: complete but for these headers and the body.
    ///   - path: of the request, as it is sent.
    ///   - body: of the request.
    /// - Throws: the failure of a request that cannot be sent because there are no credentials.
    func authorize(
        _ request: inout HTTPClientRequest,
        path: String,
        body: [UInt8]
    ) async throws(ServiceFailure) -> Proof {
        switch self {
        case .tokenFile(let file):
            let token = try file.secret()
            request.headers.add(name: "X-Auth-Token", value: token)
            return Proof(secret: token)
        case .password(let tokens, _):
            let token = try await tokens.token()
            request.headers.add(name: "X-Auth-Token", value: token)
            return Proof(secret: token)
        case .accessKey(let signer):
            return Proof(secret: try signer.sign(&request, path: path, body: body))
        }
    }

    /// Notes that the API accepted a request.
    func accepted() {
        if case .accessKey(let signer) = self { signer.accepted() }
    }

    /// Notes that the API did not accept the credentials of a request.
    ///
    /// - Returns: the failure, with how long to wait where a further one would do harm.
    func refused(_ proof: Proof, _ failure: ServiceFailure) -> ServiceFailure {
        switch self {
        case .tokenFile(let file): file.refused(proof.secret)
        case .password(let tokens, _): tokens.refused(proof.secret)
        case .accessKey(let signer): return signer.refused(proof.secret, failure)
        }
        return failure
    }

    /// Gets what is in force anew before the next request.
    func renew() {
        switch self {
        case .tokenFile(let file): file.readAgain()
        case .password(let tokens, _): tokens.buyAnother()
        case .accessKey(let signer): signer.readAgain()
        }
    }

    /// Reads the file with the secret again when that is next needed; a token that IAM has issued stays in use.
    func readSecretAgain() {
        switch self {
        case .tokenFile(let file), .password(_, let file): file.readAgain()
        case .accessKey(let signer): signer.readAgain()
        }
    }

    /// Whether the secret has changed since it was last used.
    var hasNewCredentials: Bool {
        switch self {
        case .tokenFile(let file), .password(_, let file): file.hasChanged
        case .accessKey(let signer): signer.hasNewSecret
        }
    }
}
