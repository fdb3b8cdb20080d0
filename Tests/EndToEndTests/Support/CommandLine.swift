import Foundation
import TestSupport

/// The program as a user uses it: a database, no configuration file and no daemon.
struct CommandLine {
    let shell: SQLiteShell
    private let folder: TemporaryDirectory
    private var program: String { ChildProcess.builtPrograms.appending(path: "koobatch").path }

    init() throws {
        folder = try TemporaryDirectory()
        shell = SQLiteShell(database: folder.path("koobatch.db"))
        _ = try run(["migrate"])
    }

    func file(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: folder.path(name), atomically: true, encoding: .utf8)
        return folder.path(name)
    }

    /// Runs a subcommand to its end.
    func run(_ arguments: [String], input: String = "", environment: [String: String] = [:]) throws -> Command.Outcome {
        let variables = environment.map { "\($0)=\($1)" }
        return try Command.run(
            ["env", "KOOBATCH_DATABASE=\(shell.database)"] + variables + [program] + arguments,
            input: input
        )
    }

    /// Runs a subcommand on a terminal of so many columns and returns what came to the screen.
    ///
    /// - Parameter input: what is typed.
    func show(
        _ arguments: String,
        columns: Int,
        environment: [String: String] = [:],
        input: String = ""
    ) throws -> String {
        let variables = ["TERM": "xterm", "LC_ALL": "C.UTF-8", "COLUMNS": "\(columns)"].merging(environment) { $1 }
        let typed = (["KOOBATCH_DATABASE=\(shell.database)"] + variables.map { "\($0)=\($1)" }).joined(separator: " ")
        return try Command.run(["script", "-qec", "env \(typed) \(program) \(arguments)", "/dev/null"], input: input)
            .output
            .replacing("\r\n", with: "\n")
    }
}
