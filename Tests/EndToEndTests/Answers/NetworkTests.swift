import Foundation
import TestSupport
import Testing

@Suite("The way to the API", .programs)
struct NetworkTests {
    private let koobatch: Koobatch

    init() throws {
        koobatch = try Koobatch()
    }

    private func doctor(_ environment: [String: String]) throws -> String {
        try koobatch.run(["doctor"], environment: environment).output
    }

    @Test("is shown by doctor: direct, or through which proxy by which setting, and never a password")
    func shown() throws {
        #expect(try doctor([:]).contains(" go direct\n"))
        let api = ["KOOBATCH_KOOPHONE_ENDPOINT": "https://koophone.invalid"]
        let variables = api.merging(["HTTPS_PROXY": "http://u:secret-word@127.0.0.1:1"]) { $1 }
        let variable = try doctor(variables)
        #expect(variable.contains("koophone.invalid go through the proxy 127.0.0.1:1 (HTTPS_PROXY), as this command"))
        #expect(variable.contains("no connection to the proxy 127.0.0.1:1 (HTTPS_PROXY): "))
        #expect(variable.contains("Check koophone.proxy") || variable.contains("nothing listens"))
        #expect(!variable.contains("secret-word"))
        let key = try doctor(variables.merging(["KOOBATCH_KOOPHONE_PROXY": "http://127.0.0.1:2"]) { $1 })
        #expect(key.contains("go through the proxy 127.0.0.1:2 (koophone.proxy)\n"))
        let excepted = try doctor(variables.merging(["NO_PROXY": "invalid"]) { $1 })
        #expect(excepted.contains("go direct (NO_PROXY lists invalid)\n"))
        let none = try doctor(variables.merging(["KOOBATCH_KOOPHONE_PROXY": "none"]) { $1 })
        #expect(none.contains("go direct\n"))
    }

    @Test("that a proxy closes charges no attempt, is told in the log without a password, and is no fault of a chunk")
    func refusedProxy() throws {
        try koobatch.write(secret: "secret-word", to: "proxy")
        try koobatch.configure(
            endpoint: "https://koophone.invalid\n  proxy: http://127.0.0.1:1\n  proxy_user: u\n  proxy_password_file: "
                + koobatch.secretFile("proxy")
        )
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("on_unknown", "'hold'"), ("max_attempts", "1")])
        try koobatch.wait(for: "SELECT circuit = 'open' FROM daemon")
        #expect(
            try koobatch.shell.run(
                "SELECT DISTINCT outcome, error_code, instr(error_msg, 'proxy 127.0.0.1:1 (koophone.proxy)') > 0 FROM attempts WHERE outcome > ''"
            ) == "not_sent|koobatch.connect|1"
        )
        #expect(try koobatch.shell.run("SELECT count(*) FROM chunks WHERE state IN ('failed', 'unknown')") == "0")
        #expect(try koobatch.stop() == 0)
        let log = try daemon.errors
        #expect(log.contains("through the proxy 127.0.0.1:1 (koophone.proxy)") && !log.contains("secret-word"))
        let dump = try koobatch.shell.run(".dump")
        #expect(!dump.contains("secret-word"))
    }

    @Test(
        "trusts a certificate of koophone.ca_file, and without it doctor names the certificate and its issuer",
        .enabled(if: FileManager.default.isExecutableFile(atPath: NotSentTests.Obstacle.openssl))
    )
    func privateAuthority() throws {
        let server = try NotSentTests.untrustedServer(in: koobatch.folder)
        defer {
            server.process.signal(SIGKILL)
            server.process.wait()
        }
        let api = ["KOOBATCH_KOOPHONE_ENDPOINT": server.endpoint]
        let untrusted = try doctor(api)
        #expect(untrusted.contains("TLS handshake failed: the certificate of the host is not accepted"), "\(untrusted)")
        #expect(untrusted.contains("a certificate for CN=localhost (localhost), issued by CN=localhost, valid from 20"))
        #expect(untrusted.contains("it is issued by itself") && untrusted.contains("koophone.ca_file"))
        let certificate = koobatch.folder.appending(path: "server.pem").path
        let trusted = try doctor(api.merging(["KOOBATCH_KOOPHONE_CA_FILE": certificate]) { $1 })
        #expect(!trusted.contains("TLS handshake failed") && trusted.contains("problem  endpoint"), "\(trusted)")
        let missing = try koobatch.run(["run"], environment: ["KOOBATCH_KOOPHONE_CA_FILE": "/no/file"])
        #expect(missing.status == 78)
        #expect(missing.errors.contains("koophone.ca_file: /no/file cannot be read: No such file or directory"))
    }
}
