import Foundation
import TestSupport
import Testing

@Suite("The limit of open files", .programs)
struct DescriptorTests {
    private let koobatch: Koobatch

    init() throws {
        koobatch = try Koobatch(settings: "submit: {max_in_flight: 300}\n" + Koobatch.eager)
    }

    /// `koobatch run` under a soft and a hard limit.
    private func daemon(_ limit: String, errors: FileHandle? = nil) throws -> Command {
        try Command(
            [
                "prlimit", "--nofile=\(limit)", ChildProcess.builtPrograms.appending(path: "koobatch").path, "run",
                "--config", koobatch.folder.appending(path: "koobatch.yaml").path,
            ],
            errors: errors?.fileDescriptor
        )
    }

    @Test("is refused at start, with the arithmetic, if submit.max_in_flight cannot work under it")
    func refused() throws {
        let file = koobatch.folder.appending(path: "refused")
        try Data().write(to: file)
        let errors = try FileHandle(forWritingTo: file)
        #expect(try daemon("256:512", errors: errors).wait() == 78)
        let said = try String(contentsOf: file, encoding: .utf8)
        let others = 128 + 3 * ProcessInfo.processInfo.processorCount
        #expect(said.contains("submit.max_in_flight: 300 requests need 3 x 300 + \(others) = \(900 + others)"))
        #expect(said.contains("may have 512; set it to \((512 - others) / 3) or less, or raise"), "\(said)")
    }

    @Test("is raised to the hard one at start")
    func raised() throws {
        let daemon = try daemon("256:4096")
        try koobatch.wait(for: "SELECT pid = \(daemon.identifier) AND running FROM daemon")
        let limits = try String(contentsOfFile: "/proc/\(daemon.identifier)/limits", encoding: .utf8)
        #expect(limits.contains(/Max open files +4096 +4096/), "\(limits)")
        _ = try koobatch.insert(instances: 1)
        try koobatch.waitUntilFinished()
        daemon.signal(SIGTERM)
        #expect(daemon.wait() == 0)
    }

    @Test("that is lowered under it is raised again with the next heartbeat")
    func lowered() throws {
        let daemon = try daemon("4096:4096")
        try koobatch.wait(for: "SELECT pid = \(daemon.identifier) AND running FROM daemon")
        let outcome = try Command.run(["prlimit", "--nofile=512:", "--pid", "\(daemon.identifier)"])
        try #require(outcome.status == 0, "\(outcome.errors)")
        // The heartbeat that is under way may have raised it before.
        for _ in 0..<2 {
            let seen = try koobatch.shell.run("SELECT heartbeat_at FROM daemon")
            try koobatch.wait(for: "SELECT heartbeat_at > '\(seen)' FROM daemon")
        }
        let limits = try String(contentsOfFile: "/proc/\(daemon.identifier)/limits", encoding: .utf8)
        #expect(limits.contains(/Max open files +4096 +4096/), "\(limits)")
        daemon.signal(SIGTERM)
        #expect(daemon.wait() == 0)
    }

    @Test("or another shortage that lets it make no connection is told once, and work goes on when it is over")
    func shortage() throws {
        let koobatch = try Koobatch()
        let disk = try FaultyDisk(in: koobatch.folder)
        try disk.fail([.socket], on: "any", with: EMFILE)
        let daemon = try koobatch.start(environment: disk.environment)
        _ = try koobatch.insert(instances: 640)
        let told = "This process can make no connection: requests wait"
        try daemon.waitUntilItSays(told)
        try koobatch.wait(for: "SELECT last_error LIKE 'koobatch.resources %Too many open files%' FROM daemon")
        #expect(try koobatch.simulator.journal().isEmpty)
        let outcomes = "SELECT DISTINCT outcome FROM attempts WHERE outcome IS NOT NULL"
        #expect(try koobatch.shell.run(outcomes) == "not_sent")
        try disk.mend()
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state FROM command_jobs") == "succeeded")
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        try daemon.waitUntilItSays("Connections can be made again")
        #expect(try daemon.errors.split(separator: "\n").count { $0.contains(told) } == 1)
        #expect(try koobatch.stop() == 0)
    }
}
