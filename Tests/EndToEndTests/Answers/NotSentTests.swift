import Foundation
import TestSupport
import Testing

@Suite("A request that was never sent", .programs)
struct NotSentTests {
    /// Why no connection can be made.
    enum Obstacle: String, CaseIterable, CustomTestStringConvertible {
        case refused = "connection refused"
        case unresolved = "name does not resolve"
        case plain = "server without TLS"
        case untrusted = "server with a certificate that nobody vouches for"

        var testDescription: String { rawValue }

        static let openssl = "/usr/bin/openssl"

        /// Those that this machine can put up.
        static var available: [Obstacle] {
            allCases.filter { $0 != .untrusted || FileManager.default.isExecutableFile(atPath: openssl) }
        }
    }

    /// An address of the loopback network that nobody else listens on.
    private static func unusedAddress() -> String {
        "127.\((1...3).map { _ in "\(Int.random(in: 1...254))" }.joined(separator: "."))"
    }

    @Test("is never unknown: a job with on_unknown hold completes later", arguments: Obstacle.available)
    func laterByConfiguration(obstacle: Obstacle) throws {
        let koobatch = try Koobatch()
        var server: Command?
        let endpoint: String
        switch obstacle {
        case .refused: endpoint = "http://\(Self.unusedAddress()):18080"
        case .unresolved: endpoint = "https://koophone.invalid"
        case .plain: endpoint = koobatch.simulator.endpoint.replacing("http:", with: "https:")
        case .untrusted:
            let started = try Self.untrustedServer(in: koobatch.folder)
            server = started.process
            endpoint = started.endpoint
        }
        defer {
            server?.signal(SIGKILL)
            server?.wait()
        }
        try koobatch.configure(endpoint: endpoint)
        try koobatch.start()
        _ = try koobatch.insert(instances: 40, columns: [("on_unknown", "'hold'")])
        try koobatch.wait(for: "SELECT count(*) >= 3 FROM attempts WHERE outcome IS NOT NULL")
        #expect(
            try koobatch.shell.run("SELECT DISTINCT outcome, error_code FROM attempts WHERE outcome IS NOT NULL")
                == "not_sent|koobatch.connect"
        )
        #expect(try koobatch.shell.run("SELECT count(*) FROM chunks WHERE state = 'unknown'") == "0")
        #expect(try koobatch.stop() == 0)

        try koobatch.configure()
        try koobatch.start()
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|40")
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        #expect(try koobatch.shell.run("SELECT DISTINCT outcome FROM attempts ORDER BY 1") == "accepted\nnot_sent")
        try Truth(koobatch: koobatch).expectMappingsMatchJournal()
    }

    @Test("an endpoint that is down charges nobody once it is known, and the job goes on by itself when it is back")
    func laterByItself() throws {
        let koobatch = try Koobatch()
        let address = Self.unusedAddress()
        try koobatch.configure(endpoint: "http://\(address):18080")
        try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("on_unknown", "'hold'"), ("max_attempts", "3")])
        try koobatch.wait(for: "SELECT circuit = 'open' FROM daemon")
        try koobatch.wait(for: "SELECT count(*) >= 12 FROM attempts WHERE outcome = 'not_sent'")
        #expect(try koobatch.shell.run("SELECT sum(attempts) <= 8 FROM chunks WHERE state = 'pending'") == "1")
        #expect(try koobatch.shell.run("SELECT blocker FROM why WHERE chunk_id IS NULL") == "circuit")

        let back = try SimulatorProcess(in: koobatch.folder, arguments: ["--host", address, "--port", "18080"])
        defer {
            back.child.signal(SIGKILL)
            back.child.wait()
        }
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|320")
        let executed = try back.journal().flatMap(\.instance_ids)
        #expect(executed.count == 320)
        #expect(Set(executed).count == 320)
        #expect(try koobatch.shell.run("SELECT circuit FROM daemon") == "closed")
    }

    /// A TLS server with a certificate of its own making.
    static func untrustedServer(in folder: URL) throws -> (process: Command, endpoint: String) {
        let (key, certificate) = (folder.appending(path: "server.key").path, folder.appending(path: "server.pem").path)
        let made = try Command.run(
            [
                Obstacle.openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "1",
            ]
        )
        try #require(made.status == 0, "\(made.errors)")
        let log = folder.appending(path: "server.log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        let server = try Command(
            [Obstacle.openssl, "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-www"],
            output: output.fileDescriptor,
            errors: output.fileDescriptor
        )
        var said = ""
        try FileChanges(log.path).wait(within: .seconds(30), else: "openssl has only said: \(said)") {
            let hasEnded = !server.isRunning
            said = try String(contentsOf: log, encoding: .utf8)
            return hasEnded || said.contains(/ACCEPT .*:\d+\n/)
        }
        let port = try #require(said.firstMatch(of: /ACCEPT .*:(\d+)\n/)?.1, "openssl said: \(said)")
        return (server, "https://127.0.0.1:\(port)")
    }
}
