import Foundation
import KooPhoneSimulator
import KoobatchCore
import Logging
import ServiceConformance
import TestSupport
import Testing

@testable import KoobatchCloud

@Suite
struct SecretFileTests {
    @Test
    func `White space around a token does not count`() throws {
        let scratch = try ScratchFile(" \r\n\t MIIabc-+/= \n\n")
        #expect(try SecretFile(path: scratch.path, kind: .token, logger: Self.silent).secret() == "MIIabc-+/=")
    }

    @Test(arguments: [
        ("", "empty"), (" \n ", "empty"), ("MIIone\ntwo", "characters"), ("MIIone two", "characters"),
        ("MIIone\u{0}", "characters"), ("é", "characters"),
        (String(repeating: "x", count: 65_537), "too long"),
    ])
    func `A file without a token is a failure of credentials`(text: String, flaw: String) throws {
        let scratch = try ScratchFile(text)
        let failure = Self.failure(of: SecretFile(path: scratch.path, kind: .token, logger: Self.silent))
        #expect(failure?.outcome == .unauthenticated)
        #expect(failure?.errorCode == ServiceFailure.Code.credentials)
        #expect(failure?.message.contains(scratch.path) == true)
        #expect(failure?.message.contains(flaw) == true)
        #expect(failure?.message.contains("MII") == false)
    }

    @Test(arguments: ["/nonexistent/token", "/tmp"])
    func `A file that is none is a failure of credentials`(path: String) throws {
        let failure = Self.failure(of: SecretFile(path: path, kind: .token, logger: Self.silent))
        #expect(failure?.errorCode == ServiceFailure.Code.credentials)
        #expect(failure?.message.contains(path) == true)
    }

    @Test
    func `A new token is in force as soon as it is in the file`() throws {
        let scratch = try ScratchFile("old")
        let file = SecretFile(path: scratch.path, kind: .token, logger: Self.silent)
        #expect(try file.secret() == "old")
        try scratch.write("new")
        #expect(try file.secret() == "new")
    }

    @Test
    func `A token that is gone is not used any more`() throws {
        let scratch = try ScratchFile("old")
        let file = SecretFile(path: scratch.path, kind: .token, logger: Self.silent)
        #expect(try file.secret() == "old")
        try scratch.write("")
        #expect(Self.failure(of: file)?.message.contains("empty") == true)
        try scratch.write("new")
        #expect(try file.secret() == "new")
    }

    @Test
    func `A file has changed once there is something in it that was not read`() throws {
        let scratch = try ScratchFile("")
        let file = SecretFile(path: scratch.path, kind: .token, logger: Self.silent)
        #expect(file.hasChanged)
        _ = Self.failure(of: file)
        #expect(!file.hasChanged)
        try scratch.write("new")
        #expect(file.hasChanged)
        #expect(try file.secret() == "new")
        #expect(!file.hasChanged)
    }

    @Test
    func `A refused token is read again although the file looks the same`() throws {
        let scratch = try ScratchFile("old")
        let file = SecretFile(path: scratch.path, kind: .token, logger: Self.silent)
        #expect(try file.secret() == "old")
        try scratch.overwriteUnseen(with: "new")
        #expect(try file.secret() == "old")
        file.refused("another")
        #expect(try file.secret() == "old")
        file.refused("old")
        #expect(try file.secret() == "new")
    }

    @Test
    func `A token file that everybody can read is warned of once, without the token`() throws {
        let log = LogRecorder()
        let scratch = try ScratchFile("MIItoken", mode: 0o644)
        let file = SecretFile(path: scratch.path, kind: .token, logger: log.logger)
        #expect(try file.secret() == "MIItoken")
        try scratch.write("MIItoken-2", mode: 0o644)
        #expect(try file.secret() == "MIItoken-2")
        #expect(log.lines.count == 1)
        #expect(log.lines.allSatisfy { $0.hasPrefix("warning") && $0.contains("644") && !$0.contains("MII") })
    }

    @Test
    func `A token file that others cannot read is not warned of`() throws {
        let log = LogRecorder()
        let scratch = try ScratchFile("MIItoken", mode: 0o640)
        #expect(try SecretFile(path: scratch.path, kind: .token, logger: log.logger).secret() == "MIItoken")
        #expect(log.lines.isEmpty)
    }

    @Test
    func `After a refusal the next request goes with the token that is in the file by then`() async throws {
        let scratch = try ScratchFile("stale-token")
        try await SimulatedAPI.serving(configure: { $0.expiredTokens = ["stale-token"] }) { api in
            try await withClient(of: api.endpoint, credentials: .tokenFile(path: scratch.path)) { client in
                #expect(await client.failure()?.outcome == .unauthenticated)
                try scratch.overwriteUnseen(with: SimulatedAPI.token)
                #expect(await client.failure() == nil)
            }
        }
    }

    @Test
    func `Without a token nothing is sent`() async throws {
        try await RawServer.serving(.silence) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)", credentials: .tokenFile(path: "/nonexistent/token")) {
                client in
                #expect(await client.failure()?.errorCode == ServiceFailure.Code.credentials)
            }
            #expect(server.connectionCount == 0)
        }
    }

    private static let silent = Logger(label: "token") { _ in Silence() }

    private static func failure(of file: SecretFile) -> ServiceFailure? {
        do {
            _ = try file.secret()
            return nil
        } catch {
            return error
        }
    }
}
