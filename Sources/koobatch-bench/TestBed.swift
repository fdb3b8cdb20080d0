import Foundation

/// A simulator, a database and a daemon in a temporary folder.
final class TestBed {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    let folder: URL
    let endpoint: String
    private let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    private let simulator: Process
    private(set) var daemon: Process?

    var database: String { folder.appending(path: "koobatch.db").path }
    var tokenFile: String { folder.appending(path: "token").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "koobatch-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        simulator = Process()
        simulator.executableURL = programs.appending(path: "koophone-sim")
        simulator.arguments = ["--port", "0", "--token", "bench"]
        let output = Pipe()
        simulator.standardOutput = output
        try simulator.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let address = line.split(separator: " ").first(where: { $0.hasPrefix("http://") }) else {
            throw Failed(description: "the simulator said: \(line)")
        }
        endpoint = String(address)
        try "bench".write(to: folder.appending(path: "token"), atomically: true, encoding: .utf8)
        chmod(tokenFile, 0o600)
        let configuration = """
            database: \(database)
            koophone:
              endpoint: \(endpoint)
              auth:
                token_file: \(tokenFile)
            log:
              level: warning
            """
        try configuration.write(to: folder.appending(path: "koobatch.yaml"), atomically: true, encoding: .utf8)
    }

    func startDaemon() throws {
        let process = Process()
        process.executableURL = programs.appending(path: "koobatch")
        process.arguments = ["run", "--config", folder.appending(path: "koobatch.yaml").path]
        try process.run()
        daemon = process
        try wait { try self.shellIfThere("SELECT pid = \(process.processIdentifier) AND running FROM daemon") == "1" }
    }

    func kill() {
        guard let daemon else { return }
        Foundation.kill(daemon.processIdentifier, SIGKILL)
        daemon.waitUntilExit()
    }

    func tearDown() {
        for process in [daemon, simulator].compactMap(\.self) where process.isRunning {
            process.terminate()
            process.waitUntilExit()
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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["sqlite3", "-batch", "-bail", "-cmd", ".timeout \(patience)", database]
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let writer = Thread {
            input.fileHandleForWriting.write(Data(statements.utf8))
            input.fileHandleForWriting.closeFile()
        }
        writer.start()
        let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(description: said) }
        return printed.trimmingCharacters(in: .newlines)
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
        column: String = "label",
        value: String = "''",
        patience: Int = 5_000
    ) throws -> Int {
        let ids = (0..<instances).map { "\"\(prefix)\($0)\"" }.joined(separator: ",")
        let printed = try shell(
            "INSERT INTO command_jobs (command, instance_ids, \(column)) VALUES ('ls', '[\(ids)]', \(value)) RETURNING id;",
            patience: patience
        )
        guard let id = Int(printed) else { throw Failed(description: printed) }
        return id
    }

    /// Waits until the condition holds, looking every few milliseconds.
    func wait(until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(600)
        while try !condition() {
            guard ContinuousClock.now < deadline, simulator.isRunning else {
                throw Failed(description: "it took too long")
            }
            usleep(5_000)
        }
    }

    /// CPU seconds that the daemon has used so far (`proc(5)`, fields 14 and 15 in ticks of 10 ms).
    func daemonCPU() throws -> Double {
        let stat = try String(contentsOfFile: "/proc/\(daemon?.processIdentifier ?? 0)/stat", encoding: .utf8)
        let fields = (stat.split(separator: ")").last ?? "").split(separator: " ")
        guard fields.count > 13, let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw Failed(description: "/proc has another form: \(stat)")
        }
        return (user + system) / 100
    }

    /// The most memory that the daemon has used so far, in MiB.
    func daemonMemory() throws -> Double {
        let status = try String(contentsOfFile: "/proc/\(daemon?.processIdentifier ?? 0)/status", encoding: .utf8)
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let kilobytes = peak?.split(separator: " ").dropLast().last.flatMap { Double($0) } ?? 0
        return kilobytes / 1_024
    }
}
