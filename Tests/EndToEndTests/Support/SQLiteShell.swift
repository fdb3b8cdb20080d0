import Foundation
import TestSupport

/// The stock `sqlite3` shell, as a user has it: foreign keys off, and busy_timeout 0 where a test asks for it.
struct SQLiteShell {
    /// What the shell said.
    struct Refusal: Error, CustomStringConvertible {
        let statement: String
        let message: String

        var description: String { "\(message) (of: \(statement.prefix(200)))" }
    }

    let database: String
    /// The busy timeout of the shell in milliseconds: some, because the tests run debug builds on busy machines.
    var busyTimeout = 5_000
    /// Variables beside those of the test.
    var environment: [String: String] = [:]

    /// Runs statements in a shell of their own and returns what it prints, columns separated by `|`.
    @discardableResult
    func run(_ statements: String) throws -> String {
        let outcome = try Command.run(
            ["env"] + environment.map { "\($0)=\($1)" } + [
                "sqlite3", "-batch", "-bail", "-cmd", ".timeout \(busyTimeout)", database,
            ],
            input: statements
        )
        guard outcome.status == 0, outcome.errors.isEmpty else {
            throw Refusal(statement: statements, message: outcome.errors.trimmingCharacters(in: .newlines))
        }
        return outcome.output.trimmingCharacters(in: .newlines)
    }

    /// The rows that a query prints, each split into its columns.
    func rows(_ query: String) throws -> [[String]] {
        let printed = try run(query)
        if printed.isEmpty { return [] }
        return printed.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }
    }
}
