import AsyncHTTPClient
import Foundation
import KoobatchCore
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOPosix

/// An exchange that ended without an answer.
struct TransportFailure {
    /// What AsyncHTTPClient or the time limit threw.
    let error: any Error
    /// Whether the body of the request may have been sent; `nil` for a request without one.
    let began: Bool?
    /// The host, for messages.
    let host: String
    /// The proxy that the request was to go through, for messages.
    let proxy: Proxy?
    /// The limit, for messages.
    let timeout: Duration

    /// A request that was cancelled before anything was done for it.
    static let interruptedBefore = ServiceFailure(
        .notSent,
        errorCode: ServiceFailure.Code.interrupted,
        message: "interrupted before the request was sent"
    )

    /// What it means for the request.
    var classified: ServiceFailure {
        began ?? happensAfterSending ? afterSending : beforeSending
    }

    private var beforeSending: ServiceFailure {
        if isInterruption { return Self.interruptedBefore }
        if let shortage = LocalShortage.reason(of: error) {
            return LocalShortage.failure("no connection to \(host) (\(shortage))")
        }
        // Every request fares the same, and a proxy may lock a user whose password fails too often.
        let isCertain = error as? HTTPClientError == .proxyAuthenticationRequired
        return ServiceFailure(
            .notSent,
            errorCode: ServiceFailure.Code.connect,
            message: connectionReason,
            endpointFault: isCertain ? .certain : .suspected
        )
    }

    private var afterSending: ServiceFailure {
        let (code, message) =
            switch error {
            case _ where isInterruption:
                (ServiceFailure.Code.interrupted, "interrupted while the answer was awaited")
            case is TimedOut:
                (ServiceFailure.Code.timeout, "no answer within \(seconds) seconds")
            case is NIOTooManyBytesError:
                (ServiceFailure.Code.badAnswer, "the answer is longer than \(KooPhoneClient.longestAnswer) bytes")
            case let error as HTTPParserError where error != .invalidEOFState:
                (ServiceFailure.Code.badAnswer, "the answer is not HTTP: \(reason)")
            case let violation as ResponseScreen.Violation:
                (ServiceFailure.Code.badAnswer, "the answer cannot be used: \(violation)")
            case is NIOHTTPDecompression.DecompressionError, is NIOHTTPDecompression.ExtraDecompressionError:
                (ServiceFailure.Code.badAnswer, "the compressed answer cannot be read: \(reason)")
            default:
                (ServiceFailure.Code.connectionLost, "the connection to \(host) was lost before the answer: \(reason)")
            }
        return ServiceFailure(.unknown, errorCode: code, message: message)
    }

    /// For a request without a body, which leaves no mark: nobody is harmed where this errs.
    private var happensAfterSending: Bool {
        switch error {
        case let error as HTTPClientError:
            [.remoteConnectionClosed, .readTimeout, .writeTimeout, .cancelled, .requestStreamCancelled].contains(error)
        case is HTTPParserError, is NIOTooManyBytesError, is TimedOut, is CancellationError: true
        case is ResponseScreen.Violation, is NIOHTTPDecompression.DecompressionError: true
        case is NIOHTTPDecompression.ExtraDecompressionError: true
        case let error as IOError: error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
        default: false
        }
    }

    private var isInterruption: Bool {
        switch error {
        case is CancellationError: true
        case let error as HTTPClientError: error == .cancelled || error == .alreadyShutdown
        default: false
        }
    }

    var seconds: String {
        let (whole, fraction) = timeout.components
        return fraction == 0 ? "\(whole)" : "\(timeout.inSeconds)"
    }
}
