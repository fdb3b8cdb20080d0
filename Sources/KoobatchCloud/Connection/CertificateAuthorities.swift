import Foundation
internal import NIOSSL

/// Certificate authorities that are trusted beside those of the system.
public struct CertificateAuthorities: Hashable, Sendable {
    /// The file that they were read from.
    let path: String
    let certificates: [NIOSSLCertificate]

    /// Reads a bundle of certificates in PEM.
    ///
    /// - Throws: what is wrong with the file and what to do.
    public init(file path: String) throws(CertificateAuthoritiesError) {
        let text: Data
        do {
            text = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw CertificateAuthoritiesError(path, access(path, R_OK) == 0 ? "is not a file" : Self.reason(errno))
        }
        guard text.contains(where: { !Character(UnicodeScalar($0)).isWhitespace }) else {
            throw CertificateAuthoritiesError(path, "is empty")
        }
        guard text.firstRange(of: Data("-----BEGIN CERTIFICATE-----".utf8)) != nil else {
            throw CertificateAuthoritiesError(path, "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
        }
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(Array(text))
        } catch {
            throw CertificateAuthoritiesError(path, "holds a certificate that cannot be read; it may be cut or damaged")
        }
        self.path = path
    }

    private static func reason(_ code: Int32) -> String {
        "cannot be read: \(String(cString: strerror(code)))"
    }
}

/// Why a bundle of certificates cannot be used.
public struct CertificateAuthoritiesError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what to do.
    public let description: String

    init(_ path: String, _ flaw: String) {
        description =
            "\(path) \(flaw); write the certificate of the authority to it, in PEM, readable by the user of the daemon"
    }
}
