import Foundation
import Testing

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

    /// Runs statements in a shell of their own and returns what it prints, columns separated by `|`.
    @discardableResult
    func run(_ statements: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["sqlite3", "-batch", "-bail", "-cmd", ".timeout \(busyTimeout)", database]
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // More than a pipe holds must be written while the shell reads; what it prints to stderr is a line.
        let writer = Thread {
            input.fileHandleForWriting.write(Data(statements.utf8))
            input.fileHandleForWriting.closeFile()
        }
        writer.start()
        let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0, said.isEmpty else {
            throw Refusal(statement: statements, message: said.trimmingCharacters(in: .newlines))
        }
        return printed.trimmingCharacters(in: .newlines)
    }

    /// The rows that a query prints, each split into its columns.
    func rows(_ query: String) throws -> [[String]] {
        let printed = try run(query)
        if printed.isEmpty { return [] }
        return printed.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }
    }
}
