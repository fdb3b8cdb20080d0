import AsyncHTTPClient
import KoobatchCore
import Logging
import NIOHTTP1

/// Puts into requests what proves who asks.
enum Authorizer: Sendable {
    /// What a request was sent with, to be named when the API refuses it.
    struct Proof: Sendable {
        fileprivate let secret: String
    }

    case tokenFile(SecretFile)
    case password(IAMToken)
    case accessKey(RequestSigner)

    init(
        _ configuration: KooPhoneClient.Configuration,
        http: HTTPClient,
        logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        pause: @escaping Pause
    ) {
        switch configuration.credentials {
        case .tokenFile(let path):
            self = .tokenFile(SecretFile(path: path, kind: .token, logger: logger))
        case .password(let login):
            let issuer = TokenIssuer(login, configuration, http: http, logger: logger, now: now, pause: pause)
            self = .password(
                IAMToken(logger: logger, now: now) { () throws(ServiceFailure) in try await issuer.issue() }
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
        case .password(let tokens):
            let token = try await tokens.token()
            request.headers.add(name: "X-Auth-Token", value: token)
            return Proof(secret: token)
        case .accessKey(let signer):
            return Proof(secret: try signer.sign(&request, path: path, body: body))
        }
    }

    /// Notes that the API did not accept the credentials of a request.
    func refused(_ proof: Proof) {
        switch self {
        case .tokenFile(let file): file.refused(proof.secret)
        case .password(let tokens): tokens.refused(proof.secret)
        case .accessKey(let signer): signer.refused(proof.secret)
        }
    }
}
