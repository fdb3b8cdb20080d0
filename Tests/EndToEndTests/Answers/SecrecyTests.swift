import Foundation
import TestSupport
import Testing

@Suite("Secrets", .programs)
struct SecrecyTests {
    /// The ways to prove who asks, each with a secret that is refused first and one that is accepted.
    enum Method: String, CaseIterable {
        case token
        case password
        case aksk

        var secrets: (wrong: String, right: String) {
            switch self {
            case .token: ("MIIwrong-token-0001", "MIIright-token-0002")
            case .password: ("wrong-password-0001", "right-password-0002")
            case .aksk: ("wrong-secret-key-0001", "right-secret-key-0002")
            }
        }

        var simulator: [String] {
            switch self {
            case .token: ["--token", secrets.right]
            case .password: ["--iam-password", secrets.right]
            case .aksk: ["--access-key", "AK0", "--secret-key", secrets.right]
            }
        }

        func auth(endpoint: String, file: String) -> [String] {
            switch self {
            case .token: ["token_file: \(file)"]
            case .password:
                [
                    "method: password", "iam_endpoint: \(endpoint)", "user: sim-user", "domain: sim-domain",
                    "project: sim-project", "password_file: \(file)",
                ]
            case .aksk: ["method: aksk", "access_key: AK0", "secret_key_file: \(file)"]
            }
        }
    }

    @Test("are in no log line of any level and nowhere in the database", arguments: Method.allCases)
    func nowhere(method: Method) throws {
        let koobatch = try Koobatch(simulator: method.simulator)
        let file = try koobatch.write(secret: method.secrets.wrong, to: "secret")
        try koobatch.configure(
            auth: method.auth(endpoint: koobatch.simulator.endpoint, file: file),
            settings: "log: {level: trace, format: json}\nsubmit: {timeout: 0.5}\n\(Koobatch.eager)"
        )
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 96, columns: [("max_attempts", "100")])
        try koobatch.wait(for: "SELECT credentials = 'refused' FROM daemon")
        try koobatch.simulator.faults(
            """
            {"rules": [{"on": "any", "kind": "drop_before", "times": 1}, {"on": "any", "kind": "hang", "times": 1},
                       {"on": "any", "kind": "status", "status": 500, "times": 2}]}
            """
        )
        try koobatch.write(secret: method.secrets.right, to: "secret")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.stop() == 0)

        let said = try daemon.output + daemon.errors
        #expect(said.contains("Chunk submitted"))
        #expect(said.contains("Circuit open: requests paused"))
        for text in [said, try koobatch.shell.run(".dump")] {
            #expect(!text.contains(method.secrets.wrong))
            #expect(!text.contains(method.secrets.right))
            // Issued tokens and signatures.
            #expect(!text.contains("MII"))
            #expect(!text.contains("Signature="))
        }
    }

    @Test("in a file that others may read are used, with a warning that says what to do", arguments: Method.allCases)
    func readable(method: Method) throws {
        let koobatch = try Koobatch(simulator: method.simulator)
        let file = try koobatch.write(secret: method.secrets.right, to: "secret", mode: 0o644)
        try koobatch.configure(auth: method.auth(endpoint: koobatch.simulator.endpoint, file: file))
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 3)
        try koobatch.waitUntilFinished()
        let warnings = try daemon.errors.split(separator: "\n").filter { $0.contains("make it mode 0600") }
        #expect(warnings.count == 1)
        #expect(warnings.allSatisfy { $0.contains("644") && $0.contains("/secret") })
    }
}
