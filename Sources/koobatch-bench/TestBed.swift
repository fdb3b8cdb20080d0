import Foundation
import TestSupport

/// A simulator, a database and a daemon in a temporary folder.
final class TestBed {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    let folder: URL
    let endpoint: String
    private let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    private var simulator: Command
    private(set) var daemon: Command?

    var database: String { folder.appending(path: "koobatch.db").path }
    var tokenFile: String { folder.appending(path: "token").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "koobatch-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        (simulator, endpoint) = try Self.simulator(of: programs, in: folder, port: 0)
        try "bench".write(to: folder.appending(path: "token"), atomically: true, encoding: .utf8)
        chmod(tokenFile, 0o600)
        let configuration = """
            database: \(database)
            koophone:
              endpoint: \(endpoint)
              auth:
                token_file: \(tokenFile)
            log:
              level: error
            """
        try configuration.write(to: folder.appending(path: "koobatch.yaml"), atomically: true, encoding: .utf8)
    }

    private static func simulator(of programs: URL, in folder: URL, port: Int) throws -> (Command, endpoint: String) {
        let log = folder.appending(path: "simulator.log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        let simulator = try Command(
            [programs.appending(path: "koophone-sim").path, "--port", "\(port)", "--token", "bench"],
            output: output.fileDescriptor
        )
        var line = ""
        while !line.contains("\n"), simulator.isRunning { line = try String(contentsOf: log, encoding: .utf8) }
        guard let address = line.split(separator: " ").first(where: { $0.hasPrefix("http://") }) else {
            throw Failed(description: "the simulator said: \(line)")
        }
        return (simulator, String(address))
    }

    /// Ends the simulator: connections to it are refused until it is started again.
    func stopSimulator() {
        simulator.signal(SIGKILL)
        simulator.wait()
    }

    /// Starts the simulator where it was, without a memory of what it was asked.
    func startSimulator() throws {
        guard let port = URL(string: endpoint)?.port else { throw Failed(description: "no port: \(endpoint)") }
        simulator = try Self.simulator(of: programs, in: folder, port: port).0
    }

    /// Asks the simulator for something that the real API does not have, and returns its answer.
    @discardableResult
    func control(_ arguments: String...) throws -> String {
        guard let path = arguments.last else { return "" }
        let outcome = try Command.run(
            ["curl", "--silent", "--show-error", "--fail-with-body"]
                + arguments.dropLast() + [endpoint + path]
        )
        guard outcome.status == 0 else { throw Failed(description: outcome.output + outcome.errors) }
        return outcome.output
    }

    func startDaemon() throws {
        let daemon = try Command(
            [
                programs.appending(path: "koobatch").path, "run",
                "--config", folder.appending(path: "koobatch.yaml").path,
            ]
        )
        self.daemon = daemon
        try wait { try self.shellIfThere("SELECT pid = \(daemon.identifier) AND running FROM daemon") == "1" }
    }

    /// Ends the daemon as systemd does.
    func stopDaemon() {
        daemon?.signal(SIGTERM)
        daemon?.wait()
    }

    func kill() {
        daemon?.signal(SIGKILL)
        daemon?.wait()
    }

    func tearDown() {
        for program in [daemon, simulator].compactMap(\.self) {
            program.signal(SIGTERM)
            program.wait()
        }
        do {
            try FileManager.default.removeItem(at: folder)
        } catch {
            print("\(folder.path) stays: \(error)")
        }
    }

    /// Runs statements in the sqlite3 shell and returns what it prints.
    ///
    /// - Parameter patience: busy_timeout of the shell in milliseconds; a user's is 0.
    @discardableResult
    func shell(_ statements: String, patience: Int = 5_000) throws -> String {
        let outcome = try Command.run(
            ["sqlite3", "-batch", "-bail", "-cmd", ".timeout \(patience)", database],
            input: statements
        )
        guard outcome.status == 0 else { throw Failed(description: outcome.errors) }
        return outcome.output.trimmingCharacters(in: .newlines)
    }

    private func shellIfThere(_ query: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: database) else { return nil }
        do {
            return try shell(query)
        } catch is Failed {
            return nil
        }
    }

    /// Inserts a job of instances named by number and returns its id.
    @discardableResult
    func insert(
        instances: Int,
        prefix: String = "i",
        command: String = "ls",
        column: String = "label",
        value: String = "''",
        patience: Int = 5_000
    ) throws -> Int {
        let ids = (0..<instances).map { "\"\(prefix)\($0)\"" }.joined(separator: ",")
        let printed = try shell(
            "INSERT INTO command_jobs (command, instance_ids, \(column)) VALUES ('\(command)', '[\(ids)]', \(value)) RETURNING id;",
            patience: patience
        )
        guard let id = Int(printed) else { throw Failed(description: printed) }
        return id
    }

    /// Waits until the condition holds, looking every few milliseconds.
    func wait(for seconds: Double = 600, until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < deadline, simulator.isRunning else {
                throw Failed(description: "it took too long")
            }
            usleep(5_000)
        }
    }

    /// CPU seconds that the daemon has used so far (`proc(5)`, fields 14 and 15 in ticks of 10 ms).
    func daemonCPU() throws -> Double {
        let stat = try String(contentsOfFile: "/proc/\(daemon?.identifier ?? 0)/stat", encoding: .utf8)
        let fields = (stat.split(separator: ")").last ?? "").split(separator: " ")
        guard fields.count > 13, let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw Failed(description: "/proc has another form: \(stat)")
        }
        return (user + system) / 100
    }

    /// The most memory that the daemon has used so far, in MiB.
    func daemonMemory() throws -> Double {
        let status = try String(contentsOfFile: "/proc/\(daemon?.identifier ?? 0)/status", encoding: .utf8)
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let kilobytes = peak?.split(separator: " ").dropLast().last.flatMap { Double($0) } ?? 0
        return kilobytes / 1_024
    }
}
