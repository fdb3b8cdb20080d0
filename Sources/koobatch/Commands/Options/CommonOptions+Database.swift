import ArgumentParser
import KoobatchStore

extension CommonOptions {
    /// Opens the database, with nothing of the configuration but where it is.
    func client(for access: DatabaseClient.Access) throws -> DatabaseClient {
        do {
            return try DatabaseClient(path: try Settings.database(file: config, flag: database), access: access)
        } catch let problems as SettingsProblems {
            throw Failure(code: .configuration, "\(problems)")
        } catch StoreError.noAccess(let path, let access) {
            throw Failure(
                code: .failure,
                "this user may not \(access.rawValue) \(access == .write ? "to " : "")the database \(path); \(GroupAdvice.toUse(path))"
            )
        }
    }

    /// The flags that another command needs to find the same database, to be shown in advice.
    var asTyped: String {
        let flags = [("--config", config), ("--database", database)]
        return flags.compactMap { name, value in value.map { " \(name) \($0)" } }.joined()
    }
}

/// The option of commands that also print for programs.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON.")
    var json = false

    /// Prints a sentence, or the object that says the same.
    func print(_ text: String, json members: [(String, JSONValue)]) throws {
        let printer = StandardOutput()
        try printer.line(json ? JSONValue.object(members).line : text)
        try printer.flush()
    }
}
