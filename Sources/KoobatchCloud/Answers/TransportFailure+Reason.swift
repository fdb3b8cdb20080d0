import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

extension TransportFailure {
    /// Why there is no connection, with the proxy where it is the proxy's doing.
    var connectionReason: String {
        guard let proxy else { return "no connection to \(host): \(reason)" }
        switch error {
        case let error as HTTPClientError where error == .proxyAuthenticationRequired:
            return proxy.login == nil
                ? "the proxy \(proxy) asks for credentials (407): set koophone.proxy_user"
                    + " and koophone.proxy_password_file"
                : "the proxy \(proxy) refuses the credentials (407): correct koophone.proxy_user or the password in"
                    + " koophone.proxy_password_file, and reload the configuration"
        case let error as HTTPClientError where error == .invalidProxyResponse:
            return "the proxy \(proxy) refuses a tunnel to \(host): allow the host there, or list it in NO_PROXY if it"
                + " is reached without the proxy"
        case let error as HTTPClientError where error == .httpProxyHandshakeTimeout:
            return "the proxy \(proxy) does not answer the request for a tunnel to \(host)"
        case is NIOConnectionError, is IOError:
            return "no connection to the proxy \(proxy): \(reason)"
        case let error as HTTPClientError where error == .connectTimeout:
            return "no connection to the proxy \(proxy): \(reason)"
        default:
            return "no connection to \(host) through the proxy \(proxy): \(reason)"
        }
    }

    /// A few words without values of headers, which some descriptions hold.
    var reason: String {
        switch error {
        case is TimedOut: "none within \(seconds) seconds"
        case let error as HTTPClientError: error.shortDescription
        case let error as NIOConnectionError: Self.reason(of: error)
        case let error as IOError: error.description
        case let error as NIOSSLError: "TLS handshake failed: \(Self.reason(of: error))"
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            "TLS handshake failed: the certificate is for other hosts than this one"
        default: PlainText.bounded("\(error)")
        }
    }

    private static func reason(of error: NIOConnectionError) -> String {
        if let attempt = error.connectionErrors.first {
            return PlainText.bounded("\(attempt.error)")
        }
        if error.dnsAError != nil || error.dnsAAAAError != nil {
            return "its name cannot be resolved"
        }
        return "the attempt failed"
    }

    /// In words, without the lines of source that the library names.
    private static func reason(of error: NIOSSLError) -> String {
        guard case .handshakeFailed(let cause) = error else { return PlainText.bounded("\(error)") }
        let texts =
            switch cause {
            case .sslError(let stack), .unknownError(let stack): stack.map(\.description)
            default: ["\(cause)"]
            }
        // "Error: 268435581 error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at file:line"
        let names = texts.map { text in
            let name = text.firstRange(of: "OPENSSL_internal:").map { text[$0.upperBound...] } ?? text[...]
            return String(name.firstRange(of: " at ").map { name[..<$0.lowerBound] } ?? name)
        }
        if names.contains("CERTIFICATE_VERIFY_FAILED") {
            return "the certificate of the host is not accepted (CERTIFICATE_VERIFY_FAILED): no certificate authority"
                + " that is trusted here has issued it, or it is not valid now; koobatch doctor shows it"
        }
        return names.isEmpty ? "the other side does not speak TLS" : PlainText.bounded(names.joined(separator: ", "))
    }
}
