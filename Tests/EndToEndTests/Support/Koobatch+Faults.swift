import Foundation
import TestSupport
import Testing

extension Koobatch {
    /// Settings under which everything is tried again soon; requests may take as long as they need.
    static let eager = "retry: {base_delay: 0.02, max_delay: 0.2}\npoll: {initial_delay: 0.02, max_delay: 0.2}"

    /// Writes another configuration, for the next start of the daemon.
    ///
    /// - Parameters:
    ///   - endpoint: of the API; `nil` is the simulator.
    ///   - auth: lines of YAML; `nil` is the token of the simulator.
    ///   - settings: further lines of YAML.
    func configure(endpoint: String? = nil, auth: [String]? = nil, settings: String = Koobatch.eager) throws {
        let auth = auth ?? ["token_file: \(secretFile("token"))"]
        let configuration = """
            database: \(shell.database)
            koophone:
              endpoint: \(endpoint ?? simulator.endpoint)
              auth:
                \(auth.joined(separator: "\n    "))
            \(settings)
            """
        try configuration.write(to: folder.appending(path: "koobatch.yaml"), atomically: true, encoding: .utf8)
    }

    /// The path of a file with a secret.
    func secretFile(_ name: String) -> String {
        folder.appending(path: name).path
    }

    /// Writes a secret and returns the path of its file.
    @discardableResult
    func write(secret: String, to name: String, mode: mode_t = 0o600) throws -> String {
        let path = secretFile(name)
        try secret.write(toFile: path + ".new", atomically: false, encoding: .utf8)
        try #require(chmod(path + ".new", mode) == 0)
        try #require(rename(path + ".new", path) == 0)
        return path
    }

    /// Blocks until so many submissions have reached the simulator.
    func waitForJournal(of count: Int, within limit: Duration = .seconds(60)) throws {
        // Each is claimed before it is sent.
        try changes.wait(within: limit, else: "fewer than \(count) submissions within \(limit)") {
            try simulator.journal().count >= count
        }
    }

    /// The first row of a query, which must be there.
    func row(_ query: String) throws -> [String] {
        try #require(try shell.rows(query).first, "no row: \(query)")
    }
}

extension SimulatorProcess {
    /// Replaces the tokens that it takes.
    func tokens(valid: [String] = [], revokesIssued: Bool = false) throws {
        let list = valid.map { "\"\($0)\"" }.joined(separator: ",")
        let body = #"{"valid": [\#(list)], "revoke_issued": \#(revokesIssued)}"#
        try curl("-X", "PUT", "-d", body, "\(endpoint)/sim/tokens")
    }
}
