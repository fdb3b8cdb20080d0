import Foundation
import NIOSSL
import TestSupport
import Testing

/// A certificate authority of the test's own, made with `openssl`.
struct PrivateAuthority {
    static let openssl = "/usr/bin/openssl"
    static var isAvailable: Bool { FileManager.default.isExecutableFile(atPath: openssl) }

    private let directory: TemporaryDirectory

    /// The certificate of the authority.
    var file: String { directory.path("ca.pem") }

    init(_ name: String = "Example Private CA") throws {
        directory = try TemporaryDirectory()
        try run(
            ["req", "-x509"] + newKey("ca.key") + ["-out", file, "-days", "2", "-subj", "/O=Example/CN=\(name)"]
        )
    }

    /// What a server needs that has a certificate of this authority for hosts.
    func server(hosts: [String] = ["koophone.test"], days: Int = 1) throws -> NIOSSLContext {
        let names = hosts.map { "DNS:\($0)" }.joined(separator: ",")
        try "subjectAltName=\(names)\n".write(toFile: directory.path("names"), atomically: true, encoding: .utf8)
        try run(["req"] + newKey("server.key") + ["-out", directory.path("server.csr"), "-subj", "/CN=\(hosts[0])"])
        try run(
            [
                "x509", "-req", "-in", directory.path("server.csr"), "-CA", file, "-CAkey", directory.path("ca.key"),
                "-CAcreateserial", "-out", directory.path("server.pem"), "-days", "\(days)", "-extfile",
                directory.path("names"),
            ]
        )
        let chain = try NIOSSLCertificate.fromPEMFile(directory.path("server.pem"))
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: directory.path("server.key"), format: .pem))
            )
        )
    }

    private func newKey(_ name: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", directory.path(name)]
    }

    private func run(_ arguments: [String]) throws {
        let made = try Command.run([Self.openssl] + arguments)
        try #require(made.status == 0, "\(made.errors)")
    }
}
