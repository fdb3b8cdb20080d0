import AsyncHTTPClient
import KoobatchCore
import Logging
import NIOHTTP1

/// Signs requests with an access key.
struct RequestSigner: Sendable {
    private let key: AccessKey
    private let host: String
    private let secretKey: SecretFile
    private let now: @Sendable () -> Timestamp

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

    /// Notes that the API refused a signature made with a secret key.
    func refused(_ secret: String) {
        secretKey.refused(secret)
    }

    /// `YYYYMMDDTHHMMSSZ`.
    private static func stamp(_ time: Timestamp) -> String {
        time.description.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
    }
}
