import Crypto
import FoundationEssentials
import HTTPTypes
import NIOCore

/// Checks requests that are signed with an access key, by the documented algorithm `SDK-HMAC-SHA256`.
struct SignatureVerifier: Sendable {
    private static let algorithm = "SDK-HMAC-SHA256"
    private static let longestSkew: TimeInterval = 900

    let accessKey: SimulatorConfiguration.AccessKey

    init(_ accessKey: SimulatorConfiguration.AccessKey) {
        self.accessKey = accessKey
    }

    /// What is wrong with a signature; nil when it is right.
    func flaw(of authorization: String, in head: HTTPRequest, body: ByteBuffer, at now: Date) -> String? {
        guard let claim = SignatureClaim(authorization, algorithm: Self.algorithm) else {
            return "Authorization format incorrect"
        }
        guard claim.access == accessKey.id else { return "AK not exist" }
        guard let stamp = head.headerFields[.signingDate], let date = Self.date(stamp) else {
            return "X-Sdk-Date is missing or malformed"
        }
        guard abs(date.timeIntervalSince(now)) <= Self.longestSkew else { return "Signature expired" }
        guard claim.signedHeaders.contains("x-sdk-date"), claim.signedHeaders.contains("host") else {
            return "SignedHeaders must contain host and x-sdk-date"
        }
        guard let canonical = Self.canonicalRequest(head, body: body, signedHeaders: claim.signedHeaders) else {
            return "a signed header is missing"
        }
        return signature(ofCanonical: canonical, at: stamp) == claim.signature ? nil : "verify aksk signature fail"
    }

    /// Step 3 of the algorithm.
    func signature(ofCanonical canonical: String, at stamp: String) -> String {
        let text = "\(Self.algorithm)\n\(stamp)\n\(Self.digest(canonical.utf8))"
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(text.utf8),
            using: SymmetricKey(data: Array(accessKey.secret.utf8))
        )
        return Self.hexadecimal(code)
    }

    /// Step 1 of the algorithm; nil when a signed header is not there.
    static func canonicalRequest(_ head: HTTPRequest, body: ByteBuffer, signedHeaders: [String]) -> String? {
        let target = RequestTarget(head.path ?? "/")
        var path = target.path.split(separator: "/", omittingEmptySubsequences: false)
            .map { PercentEncoding.normalized($0) }
            .joined(separator: "/")
        if !path.hasSuffix("/") {
            path += "/"
        }
        let query = target.query.split(separator: "&").map(normalizedPair).sorted().joined(separator: "&")
        var headers = ""
        for name in signedHeaders.sorted() {
            guard let value = value(of: name, in: head) else { return nil }
            headers += "\(name):\(value)\n"
        }
        return [
            head.method.rawValue, path, query, headers, signedHeaders.sorted().joined(separator: ";"),
            digest(body.readableBytesView),
        ].joined(separator: "\n")
    }

    private static func normalizedPair(_ pair: Substring) -> String {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return PercentEncoding.normalized(parts[0]) + "=" + PercentEncoding.normalized(parts.dropFirst().first ?? "")
    }

    private static func value(of name: String, in head: HTTPRequest) -> Substring? {
        let value =
            if name == "host" {
                head.authority
            } else {
                HTTPField.Name(name).flatMap { head.headerFields[$0] }
            }
        guard let value, let first = value.firstIndex(where: { !$0.isWhitespace }),
            let last = value.lastIndex(where: { !$0.isWhitespace })
        else { return value?.prefix(0) }
        return value[first...last]
    }

    private static func date(_ stamp: String) -> Date? {
        do {
            return try Date(stamp, strategy: Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted))
        } catch {
            return nil
        }
    }

    static func digest(_ bytes: some Sequence<UInt8>) -> String {
        hexadecimal(SHA256.hash(data: Array(bytes)))
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.reduce(into: "") { $0 += ($1 < 0x10 ? "0" : "") + String($1, radix: 16) }
    }
}
