import Foundation
import KoobatchCore
import NIOCore
import NIOPosix

/// A want of this process or machine that keeps it from connecting: it tells nothing of the API, and is over when other
/// requests have ended.
enum LocalShortage {
    /// The error numbers of having no descriptor, memory or buffer left.
    static let codes: Set<Int32> = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    /// Why a connection was not made, if it is such a want.
    static func reason(of error: any Error) -> String? {
        switch error {
        case let error as IOError where codes.contains(error.errnoCode): error.description
        case let error as NIOConnectionError:
            error.connectionErrors.lazy.compactMap { reason(of: $0.error) }.first
                ?? (error.dnsAError != nil || error.dnsAAAAError != nil ? descriptorShortage : nil)
        default: nil
        }
    }

    /// The resolver does not tell why it failed.
    private static var descriptorShortage: String? {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            close(descriptor)
            return nil
        }
        let code = errno
        return codes.contains(code) ? String(cString: strerror(code)) : nil
    }

    /// The failure of a request that was not sent because of it.
    static func failure(_ flaw: String) -> ServiceFailure {
        ServiceFailure(
            .notSent,
            errorCode: ServiceFailure.Code.resources,
            message: "\(flaw): this process has too little, which is no fault of the API; raise LimitNOFILE= of the"
                + " service (ulimit -n), or lower submit.max_in_flight",
            endpointFault: EndpointFault.none
        )
    }
}
