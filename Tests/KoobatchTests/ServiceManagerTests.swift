import KoobatchCore
import Logging
import TestSupport
import Testing

@testable import koobatch

@Suite("What systemd is told")
struct ServiceManagerTests {
    private let directory: TemporaryDirectory
    private let socket: NotifySocket

    init() throws {
        directory = try TemporaryDirectory()
        socket = try NotifySocket(path: directory.path("notify"))
    }

    private func manager(_ environment: [String: String] = [:], pid: Int32 = 7) -> ServiceManager {
        ServiceManager(environment: environment.merging(["NOTIFY_SOCKET": socket.path]) { $1 }, pid: pid)
    }

    @Test("is in the words of its protocol, and a status only when it is new")
    func messages() throws {
        let manager = manager()
        manager.ready()
        manager.status("Idle")
        manager.status("Idle")
        manager.reloading()
        manager.alive()
        manager.stopping()
        #expect(socket.receive() == "READY=1")
        #expect(socket.receive() == "STATUS=Idle")
        let reloading = try #require(socket.receive()).split(separator: "\n").map(String.init)
        #expect(reloading.first == "RELOADING=1")
        #expect(reloading.last?.wholeMatch(of: /MONOTONIC_USEC=[1-9][0-9]+/) != nil)
        #expect(socket.receive() == "WATCHDOG=1")
        #expect(socket.receive() == "STOPPING=1\nSTATUS=Recording what is in flight")
    }

    @Test(
        "is that the daemon lives, where systemd watches this very process",
        arguments: [
            (["WATCHDOG_USEC": "3000000"], 3_000),
            (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"], 3_000),
            (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"], nil),
            (["WATCHDOG_USEC": "0"], nil), (["WATCHDOG_USEC": "soon"], nil), (["WATCHDOG_PID": "7"], nil), ([:], nil),
        ] as [([String: String], Int?)]
    )
    func watchdogInterval(_ environment: [String: String], _ milliseconds: Int?) {
        #expect(manager(environment).watchdogInterval == milliseconds.map { .milliseconds($0) })
    }

    @Test("is nothing where systemd did not start the program")
    func elsewhere() {
        let manager = ServiceManager(environment: ["WATCHDOG_USEC": "3000000"], pid: 7)
        #expect(manager.watchdogInterval == nil)
        manager.ready()
        #expect(socket.receive(within: 0) == nil)
    }

    @Test("is nothing more while the engine stands still, and the log says what does")
    func watchdog() async throws {
        let log = LogRecorder()
        let stage = ProgressReport.Stage(name: "poller", phase: .working, elapsed: .seconds(11))
        let fine = ProgressReport(stages: [], databaseCall: nil, databaseLocked: nil)
        let stalled = ProgressReport(stages: [stage], databaseCall: nil, databaseLocked: nil)
        for (report, isAlive) in [(fine, true), (stalled, false)] {
            let watchdog = try #require(
                Watchdog(serviceManager: manager(["WATCHDOG_USEC": "3000000"]), logger: log.logger) {
                    Stall.find(in: report, limit: $0)
                }
            )
            let (triggers, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
            for _ in 0..<3 { continuation.yield() }
            continuation.finish()
            await watchdog.run(triggers: triggers)
            for _ in 0..<3 where isAlive { #expect(socket.receive() == "WATCHDOG=1") }
            #expect(socket.receive(within: 0) == nil)
        }
        let line = try #require(log.lines.first)
        #expect(log.lines.count == 1 && line.contains("a turn of the poller has not ended for 11 seconds"))
    }
}
