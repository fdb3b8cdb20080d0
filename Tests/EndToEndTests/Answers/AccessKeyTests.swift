import Foundation
import TestSupport
import Testing

@Suite("Requests signed with an access key", .programs)
struct AccessKeyTests {
    private static let key = "ACCESSKEY0123456789"
    private static let secret = "the-secret-half-of-the-access-key"

    /// A koobatch with an access key, and the settings that it is to have.
    private func koobatch(secret: String, settings: String = Koobatch.eager) throws -> Koobatch {
        let koobatch = try Koobatch(simulator: ["--access-key", Self.key, "--secret-key", Self.secret])
        let file = try koobatch.write(secret: secret, to: "secret_key")
        try koobatch.configure(
            auth: ["method: aksk", "access_key: \(Self.key)", "secret_key_file: \(file)", "project_id: p0"],
            settings: settings
        )
        return koobatch
    }

    @Test("are accepted, submissions and queries")
    func complete() throws {
        let koobatch = try koobatch(secret: Self.secret)
        try koobatch.start()
        _ = try koobatch.insert(instances: 320)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|320")
        #expect(try koobatch.simulator.statistics()["unauthenticated"] == 0)
        try Truth(koobatch: koobatch).expectMappingsMatchJournal()
    }

    @Test("with a wrong secret stop before the key is locked, and go on as soon as the file is corrected")
    func wrongSecret() throws {
        let koobatch = try koobatch(secret: "wrong", settings: "retry: {base_delay: 0.05, max_delay: 300}")
        try koobatch.start()
        for prefix in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            _ = try koobatch.insert(instances: 320, prefix: prefix, columns: [("max_attempts", "1")])
        }
        // Each refusal doubles the pause; one refusal more than five in a row would lock the key for five minutes.
        try koobatch.wait(for: "SELECT count(*) = 5 FROM attempts WHERE outcome = 'unauthenticated'")
        try koobatch.wait(for: "SELECT julianday(paused_until) - julianday('now') > 290 / 86400.0 FROM daemon")
        #expect(try koobatch.simulator.statistics()["unauthenticated"] == 5)
        let pauses = try koobatch.shell.rows(
            """
            SELECT (julianday(started_at) - julianday(lag(finished_at) OVER (ORDER BY id))) * 86400.0
              FROM attempts
             WHERE outcome = 'unauthenticated'
            """
        ).dropFirst().compactMap { Double($0[0]) }
        #expect(zip(pauses, [0.05, 0.1, 0.2, 0.4]).allSatisfy { $0 > $1 - 0.002 }, "\(pauses)")
        #expect(try koobatch.shell.run("SELECT DISTINCT blocker FROM why WHERE chunk_id IS NULL") == "credentials")

        try koobatch.write(secret: Self.secret, to: "secret_key")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT sum(succeeded) FROM job_status") == "2560")
        #expect(try koobatch.simulator.statistics()["unauthenticated"] == 5)
    }
}
