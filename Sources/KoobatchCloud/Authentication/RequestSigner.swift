import AsyncHTTPClient
import KoobatchCore
import Logging
import NIOHTTP1
import Synchronization

/// Signs requests with an access key.
final class RequestSigner: Sendable {
    /// Refusals in a row that the API takes: one more locks the key.
    private static let tolerance = 5
    /// How long the API keeps a key locked.
    private static let lock = Duration.seconds(300)

    private let key: AccessKey
    private let host: String
    private let secretKey: SecretFile
    private let now: @Sendable () -> Timestamp
    private let refusals = Mutex(0)

    init(_ key: AccessKey, host: String, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        self.key = key
        self.host = host
        self.now = now
        secretKey = SecretFile(path: key.secretKeyFile, kind: .secretKey, logger: logger)
    }

    /// Adds the headers of a signature.
    ///
    /// It covers what the API needs and nothing that a proxy on the way may rewrite, such as `x-request-id`.
    ///
    /// - Returns: the secret key, to be named when the signature is refused.
    func sign(_ request: inout HTTPClientRequest, path: String, body: [UInt8]) throws(ServiceFailure) -> String {
        let secret = try secretKey.secret()
        let date = Self.stamp(now())
        request.headers.add(name: "Host", value: host)
        request.headers.add(name: "X-Sdk-Date", value: date)
        if let project = key.projectID { request.headers.add(name: "X-Project-Id", value: project) }
        let signed = SignedRequest(
            method: request.method.rawValue,
            path: path,
            headers: ["content-type", "host", "x-project-id", "x-sdk-date"].compactMap { name in
                request.headers.first(name: name).map { (name, $0) }
            },
            body: body
        )
        request.headers.add(
            name: "Authorization",
            value: signed.authorization(accessKey: key.id, secretKey: secret, date: date)
        )
        return secret
    }

    /// Notes that the API accepted a signature.
    func accepted() {
        refusals.withLock { $0 = 0 }
    }

    /// Notes that the API refused a signature made with a secret key.
    ///
    /// - Returns: the failure; once one more would lock the key, or has, it asks for a pause as long as the lock, so
    ///   that none is caused or prolonged.
    func refused(_ secret: String, _ failure: ServiceFailure) -> ServiceFailure {
        secretKey.refused(secret)
        let count = refusals.withLock { count in
            count += 1
            return count
        }
        guard count >= Self.tolerance else { return failure }
        return ServiceFailure(
            failure.outcome,
            httpStatus: failure.httpStatus,
            errorCode: failure.errorCode,
            message: failure.message,
            retryAfter: max(failure.retryAfter ?? .zero, Self.lock)
        )
    }

    /// Notes that the signatures of an earlier daemon were refused: one more refusal and it waits as long as the lock.
    func wasRefusedBefore() {
        refusals.withLock { $0 = max($0, Self.tolerance - 1) }
    }

    /// Reads the secret key again before the next request.
    func readAgain() { secretKey.readAgain() }

    /// Whether the file with the secret key has changed since it was last read.
    var hasNewSecret: Bool { secretKey.hasChanged }

    /// `YYYYMMDDTHHMMSSZ`.
    private static func stamp(_ time: Timestamp) -> String {
        time.description.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
    }
}
