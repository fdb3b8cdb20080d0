import Foundation
import TestSupport
import Testing

/// A koobatch of the test's own: a folder, a simulator, a database, a configuration, and the daemon when it runs.
final class Koobatch {
    static let token = "t0"
    /// The seed of every simulator; set KOOBATCH_TEST_SEED to repeat a run.
    static let seed = ProcessInfo.processInfo.environment["KOOBATCH_TEST_SEED"].flatMap(UInt64.init) ?? 20_261_123

    let folder: URL
    let simulator: SimulatorProcess
    let shell: SQLiteShell
    private(set) var daemon: ChildProcess?
    let changes: FileChanges

    /// A new database as `koobatch migrate` leaves it.
    private static let migrated = Result {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let database = directory.url.appending(path: "koobatch.db")
        let migrate = try ChildProcess(
            "koobatch",
            ["migrate"],
            in: directory.url,
            environment: ["KOOBATCH_DATABASE": database.path]
        )
        let status = migrate.wait()
        let said = try migrate.errors
        try #require(status == 0, "\(said)")
        return try Data(contentsOf: database)
    }

    /// Starts a simulator and creates the database.
    ///
    /// - Parameters:
    ///   - settings: lines of YAML; the sections `submit`, `retry`, `poll` and `shutdown` may be given.
    ///   - database: the folder of the database; `nil` is that of the rest.
    init(
        simulator arguments: [String] = [],
        settings: String = "retry: {base_delay: 0.02, max_delay: 0.2}\npoll: {initial_delay: 0.02, max_delay: 0.2}",
        database: String? = nil
    ) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "koobatch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        simulator = try SimulatorProcess(in: folder, arguments: arguments)
        shell = SQLiteShell(database: (database ?? folder.path) + "/koobatch.db")
        try Self.token.write(to: folder.appending(path: "token"), atomically: true, encoding: .utf8)
        chmod(folder.appending(path: "token").path, 0o600)
        try Self.configure(folder, shell.database, simulator.endpoint, settings, token: "token")
        try Self.migrated.get().write(to: URL(fileURLWithPath: shell.database))
        changes = FileChanges(database: shell.database)
    }

    deinit {
        daemon?.signal(SIGKILL)
        daemon?.wait()
        simulator.child.signal(SIGKILL)
        simulator.child.wait()
        do {
            try FileManager.default.removeItem(at: folder)
        } catch {
            print("\(folder.path) stays: \(error)")
        }
    }

    /// Writes the configuration anew.
    ///
    /// - Parameters:
    ///   - settings: lines of YAML after those that every test needs.
    ///   - token: the file with the token.
    func configure(_ settings: String, token: String = "token") throws {
        try Self.configure(folder, shell.database, simulator.endpoint, settings, token: token)
    }

    private static func configure(
        _ folder: URL,
        _ database: String,
        _ endpoint: String,
        _ settings: String,
        token: String
    ) throws {
        let configuration = """
            database: \(database)
            koophone:
              endpoint: \(endpoint)
              auth:
                token_file: \(folder.appending(path: token).path)
            \(settings.contains("log:") ? "" : "log: {format: json}")
            \(settings)
            """
        try configuration.write(to: folder.appending(path: "koobatch.yaml"), atomically: true, encoding: .utf8)
    }

    /// Runs `koobatch` with this configuration to its end.
    func run(_ arguments: [String], environment: [String: String] = [:]) throws
        -> (status: Int32, output: String, errors: String)
    {
        let child = try program(arguments, environment: environment)
        let status = child.wait()
        return (status, try child.output, try child.errors)
    }

    /// Another `koobatch` with this configuration.
    func program(_ arguments: [String], environment: [String: String] = [:]) throws -> ChildProcess {
        try ChildProcess(
            "koobatch",
            arguments + ["--config", folder.appending(path: "koobatch.yaml").path],
            in: folder,
            environment: environment
        )
    }

    /// Starts the daemon, and waits until it says that it runs.
    ///
    /// - Parameter hasOwnClock: whether its clock may be another one than that of the shell, by which it runs.
    @discardableResult
    func start(environment: [String: String] = [:], hasOwnClock: Bool = false) throws -> ChildProcess {
        let daemon = try program(["run"], environment: environment)
        self.daemon = daemon
        let isRunning = hasOwnClock ? "stopped_at IS NULL FROM daemon_state" : "running FROM daemon"
        try wait(for: "SELECT pid = \(daemon.identifier) AND \(isRunning)")
        return daemon
    }

    /// Ends the daemon as systemd does, and returns its exit status.
    func stop() throws -> Int32 {
        let daemon = try #require(self.daemon)
        daemon.signal(SIGTERM)
        defer { self.daemon = nil }
        return daemon.wait()
    }

    /// Ends the daemon as a power cut does.
    func crash() {
        daemon?.signal(SIGKILL)
        daemon?.wait()
        daemon = nil
    }

    /// Inserts a job of instances named by number and returns its id.
    func insert(instances: Int, prefix: String = "i", columns: [(String, String)] = []) throws -> Int {
        let ids = (0..<instances).map { "\"\(prefix)\($0)\"" }.joined(separator: ",")
        let names = (["command", "instance_ids"] + columns.map(\.0)).joined(separator: ", ")
        let values = (["'ls -l /system'", "'[\(ids)]'"] + columns.map(\.1)).joined(separator: ", ")
        let printed = try shell.run("INSERT INTO command_jobs (\(names)) VALUES (\(values)) RETURNING id;")
        return try #require(Int(printed))
    }

    /// Blocks until a query prints 1, looking each time the database is written.
    func wait(for query: String, within limit: Duration = .seconds(120)) throws {
        let deadline = ContinuousClock.now + limit
        while true {
            do {
                if try shell.run(query) == "1" { return }
            } catch let refusal as SQLiteShell.Refusal where refusal.message.contains("locked") {
                // A database is locked for readers while it is recovered after a crash.
            }
            if ContinuousClock.now >= deadline {
                let said = try daemon?.errors.suffix(2_000) ?? ""
                Issue.record("not within \(limit): \(query)\n\(try shell.run("SELECT * FROM job_status"))\n\(said)")
                throw Timeout()
            }
            changes.wait()
        }
    }

    struct Timeout: Error {}

    /// Blocks until every job has finished.
    func waitUntilFinished(within limit: Duration = .seconds(120)) throws {
        try wait(for: "SELECT count(*) = 0 FROM command_jobs WHERE finished_at IS NULL", within: limit)
    }
}
