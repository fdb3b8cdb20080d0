import Foundation

/// The stock `sqlite3` shell, as a user runs it: no busy timeout, foreign keys off, no extension.
public struct SQLiteShell: Sendable {
    /// What came of a run.
    public struct Outcome: Sendable {
        /// The exit status; not 0 when a statement was refused.
        public let status: Int32
        /// What was printed.
        public let output: String
        /// What was printed on standard error.
        public let errors: String
    }

    /// The shell said no.
    public struct Refusal: Error, CustomStringConvertible {
        /// What it printed on standard error.
        public let description: String
    }

    private static let separator = "\u{1F}"
    private let path: String

    /// Creates a shell for a database.
    public init(database path: String) {
        self.path = path
    }

    /// Runs statements and dot-commands from standard input and stops at the first that is refused.
    public func outcome(of statements: String) throws -> Outcome {
        let outcome = try Command.run(
            ["sqlite3", "-batch", "-bail", "-noheader", "-list", "-separator", Self.separator, path],
            input: statements
        )
        return Outcome(status: outcome.status, output: outcome.output, errors: outcome.errors)
    }

    /// Runs statements that must all be accepted and returns the rows that they print, column by column.
    @discardableResult
    public func rows(_ statements: String) throws -> [[String]] {
        let outcome = try outcome(of: statements)
        guard outcome.status == 0 else { throw Refusal(description: outcome.errors) }
        return outcome.output.split(separator: "\n").map { line in
            line.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// The first column of the first row that the statements print.
    public func value(_ statements: String) throws -> String? {
        try rows(statements).first?.first
    }

    /// The whole content of the database as statements: equal texts are equal databases.
    public func dump() throws -> String {
        let outcome = try outcome(of: ".dump")
        guard outcome.status == 0 else { throw Refusal(description: outcome.errors) }
        return outcome.output
    }
}
