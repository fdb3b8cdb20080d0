import Foundation

/// The stock `sqlite3` shell, as a user runs it: foreign keys off, no extension.
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
        /// What was to be run.
        public let statement: String
        /// What it printed on standard error.
        public let message: String

        /// Both.
        public var description: String { "\(message) (of: \(statement.prefix(200)))" }
    }

    private static let separator = "\u{1F}"
    /// The path of the database.
    public let database: String
    /// The busy timeout of the shell in milliseconds: a user's is 0, but the tests run debug builds on busy machines.
    public var busyTimeout: Int
    /// Variables beside those of the test.
    public var environment: [String: String] = [:]

    /// Creates a shell for a database.
    public init(database: String, busyTimeout: Int = 5_000) {
        self.database = database
        self.busyTimeout = busyTimeout
    }

    /// Runs statements and dot-commands from standard input and stops at the first that is refused.
    ///
    /// - Parameter separator: what is printed between columns.
    public func outcome(of statements: String, separator: String = "\u{1F}") throws -> Outcome {
        let outcome = try Command.run(
            ["env"] + environment.map { "\($0)=\($1)" } + [
                "sqlite3", "-batch", "-bail", "-noheader", "-list", "-separator", separator,
                "-cmd", ".timeout \(busyTimeout)", database,
            ],
            input: statements
        )
        return Outcome(status: outcome.status, output: outcome.output, errors: outcome.errors)
    }

    /// Runs statements that must all be accepted and returns what is printed, columns separated by `|`.
    @discardableResult
    public func run(_ statements: String) throws -> String {
        try accepted(statements, separator: "|").trimmingCharacters(in: .newlines)
    }

    /// Runs statements that must all be accepted and returns the rows that they print, column by column.
    @discardableResult
    public func rows(_ statements: String) throws -> [[String]] {
        let printed = try accepted(statements, separator: Self.separator)
        return printed.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { line in
            line.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// The first column of the first row that the statements print.
    public func value(_ statements: String) throws -> String? {
        try rows(statements).first?.first
    }

    /// The whole content of the database as statements: equal texts are equal databases.
    public func dump() throws -> String {
        try accepted(".dump", separator: Self.separator)
    }

    private func accepted(_ statements: String, separator: String) throws -> String {
        let outcome = try outcome(of: statements, separator: separator)
        guard outcome.status == 0, outcome.errors.isEmpty else {
            throw Refusal(statement: statements, message: outcome.errors.trimmingCharacters(in: .newlines))
        }
        return outcome.output
    }
}
