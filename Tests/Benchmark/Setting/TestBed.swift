import Foundation
import TestSupport

/// A simulator, a database and a daemon in a temporary folder.
final class TestBed {
    let folder: URL
    let endpoint: String
    let programs: URL
    private(set) var simulator: Command
    private(set) var daemon: Command?

    var database: String { folder.appending(path: "koobatch.db").path }
    var tokenFile: String { folder.appending(path: "token").path }
    var metricsSocket: String { folder.appending(path: "metrics.sock").path }

    /// Starts a simulator.
    ///
    /// - Parameters:
    ///   - programs: where koobatch and koophone-sim are.
    ///   - isPolling: whether the daemon is to ask for results.
    ///   - other: whose simulator to use in place of one of its own.
    init(
        programs: URL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent(),
        isPolling: Bool = true,
        sharing other: TestBed? = nil
    ) throws {
        self.programs = programs
        folder = FileManager.default.temporaryDirectory.appending(path: "koobatch-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        if let other {
            (simulator, endpoint) = (other.simulator, other.endpoint)
        } else {
            (simulator, endpoint) = try Self.simulator(of: programs, in: folder, port: 0)
        }
        try "bench".write(to: folder.appending(path: "token"), atomically: true, encoding: .utf8)
        chmod(tokenFile, 0o600)
        let configuration = """
            database: \(database)
            koophone:
              endpoint: \(endpoint)
              auth:
                token_file: \(tokenFile)
            poll:
              enabled: \(isPolling)
            metrics:
              listen: unix:\(metricsSocket)
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
        while !line.contains("\n"), simulator.isRunning {
            usleep(1_000)
            line = try String(contentsOf: log, encoding: .utf8)
        }
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

    /// Starts the daemon and returns without waiting for anything.
    func launchDaemon() throws {
        daemon = try Command(
            [
                programs.appending(path: "koobatch").path, "run",
                "--config", folder.appending(path: "koobatch.yaml").path,
            ]
        )
    }

    /// Starts the daemon and waits until it works.
    func startDaemon() throws {
        // First, so that nobody looks into a file that is being made.
        if !FileManager.default.fileExists(atPath: database) { try migrate() }
        try launchDaemon()
        let pid = daemon?.identifier ?? 0
        try wait(for: 60, every: 0.02) {
            guard daemon?.isRunning == true else { throw Failed(description: "the daemon has ended") }
            return try holds("SELECT pid = \(pid) FROM daemon") && FileManager.default.fileExists(atPath: metricsSocket)
        }
    }

    /// Creates the database, without a daemon.
    func migrate() throws {
        let outcome = try Command.run(
            [programs.appending(path: "koobatch").path, "migrate", "--database", database]
        )
        guard outcome.status == 0 else { throw Failed(description: outcome.errors) }
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

    /// Waits until the condition holds, looking every few milliseconds.
    func wait(
        for seconds: Double = 600,
        every interval: Double = 0.005,
        until condition: () throws -> Bool
    ) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < deadline else { throw Failed(description: "it took more than \(seconds) s") }
            guard simulator.isRunning else { throw Failed(description: "the simulator has ended") }
            Thread.sleep(forTimeInterval: interval)
        }
    }
}
