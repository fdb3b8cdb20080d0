import Crypto

/// A request as `SDK-HMAC-SHA256` signs it.
///
/// The steps are those of Huawei Cloud's API Request Signing Guide
/// (https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-002.html).
struct SignedRequest {
    private static let algorithm = "SDK-HMAC-SHA256"

    let method: String
    /// With each segment percent-encoded.
    let path: String
    /// Decoded names and values.
    var query: [(name: String, value: String)] = []
    /// The headers that the signature covers, `host` and `x-sdk-date` among them; names in lower case.
    let headers: [(name: String, value: String)]
    let body: [UInt8]

    /// The value of `Authorization`.
    ///
    /// - Parameter date: the value of `x-sdk-date`.
    func authorization(accessKey: String, secretKey: String, date: String) -> String {
        "\(Self.algorithm) Access=\(accessKey), SignedHeaders=\(signedHeaders),"
            + " Signature=\(signature(secretKey: secretKey, date: date))"
    }

    /// The signature in hexadecimal digits.
    func signature(secretKey: String, date: String) -> String {
        let text = "\(Self.algorithm)\n\(date)\n\(canonicalDigest)"
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(text.utf8),
            using: SymmetricKey(data: Array(secretKey.utf8))
        )
        return Self.hexadecimal(code)
    }

    /// The digest of the canonical request, in hexadecimal digits.
    var canonicalDigest: String {
        Self.hexadecimal(SHA256.hash(data: Array(canonical.utf8)))
    }

    private var canonical: String {
        let parameters = query.map { "\(PathSegment.encoded($0.name))=\(PathSegment.encoded($0.value))" }.sorted()
        let lines = sortedHeaders.map { "\($0.name):\($0.value)\n" }
        return [
            method, path.hasSuffix("/") ? path : path + "/", parameters.joined(separator: "&"), lines.joined(),
            signedHeaders, Self.hexadecimal(SHA256.hash(data: body)),
        ].joined(separator: "\n")
    }

    private var signedHeaders: String {
        sortedHeaders.map(\.name).joined(separator: ";")
    }

    private var sortedHeaders: [(name: String, value: String)] {
        headers.sorted { $0.name < $1.name }
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self
        )
    }
}
