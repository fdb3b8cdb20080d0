import Foundation
import TestSupport
import Testing

/// `KOOBATCH_KILLS` sets how often the daemon is stopped at random in each series.
@Suite("Crashes and the end of the daemon", .programs)
struct CrashTests {
    private static let kills = ProcessInfo.processInfo.environment["KOOBATCH_KILLS"].flatMap(Int.init) ?? 20
    /// Side by side, because one after the other they would take as long as a third of all tests.
    private static let series =
        (0..<5).map { (CrashPoint.Loss.kill, $0) } + [(CrashPoint.Loss.power, 5), (CrashPoint.Loss.torn, 6)]
    private static let settings = """
        submit: {max_in_flight: 8, timeout: 5}
        retry: {base_delay: 0.01, max_delay: 0.05}
        poll: {initial_delay: 0.02, max_delay: 0.1}
        """

    @Test(
        "stops at random moments under load lose nothing and repeat nothing unseen",
        arguments: series
    )
    func kills(_ loss: CrashPoint.Loss, series: Int) throws {
        let kills = Self.kills
        let koobatch = try Koobatch(settings: Self.settings)
        let truth = Truth(koobatch: koobatch)
        try koobatch.simulator.faults(#"{"duration": 0.05, "rules": [{"on":"submit","kind":"delay","seconds":0.02}]}"#)
        var generator = SeededGenerator(seed: Koobatch.seed &+ UInt64(series))
        print("KOOBATCH_TEST_SEED=\(Koobatch.seed) KOOBATCH_KILLS=\(kills) series \(series)")
        // Also of files that are made anew.
        let changes = FileChanges(koobatch.folder.path)
        for round in 0..<kills {
            let unknown = ["retry", "hold", "retry"][round % 3]
            _ = try koobatch.insert(
                instances: Int.random(in: 1...300, using: &generator),
                prefix: "r\(round)x",
                columns: [("on_unknown", "'\(unknown)'"), ("max_attempts", "1000")]
            )
            let platter = loss == .kill ? nil : try Platter(of: koobatch.folder)
            let library = try platter.map { try CrashLibrary.environment(folder: koobatch.folder, platter: $0) }
            let daemon = try koobatch.program(["run"], environment: library ?? [:])
            // From the first write of the daemon's life to the middle of its work.
            var idle = 0
            for _ in 0..<Int.random(in: 0...60, using: &generator) where !changes.wait() {
                idle += 1
                if idle == 3 { break }
            }
            daemon.signal(SIGKILL)
            daemon.wait()
            try platter?.losePower(torn: loss == .torn, using: &generator)
            if round % 10 == 0 {
                try truth.expectIntegrity()
                try truth.expectCountsAddUp()
            }
        }
        try koobatch.start()
        try koobatch.wait(
            for: """
                SELECT NOT EXISTS (SELECT 1 FROM chunks WHERE state NOT IN ('finished', 'unknown'))
                   AND NOT EXISTS (SELECT 1 FROM job_progress WHERE planned < total)
                """,
            within: .seconds(120 + kills)
        )
        #expect(try koobatch.stop() == 0)
        let interrupted = try koobatch.shell.run("SELECT count(*) FROM attempts WHERE outcome = 'unknown'")
        print(
            "\(loss): \(kills) stops, \(interrupted) of \(try koobatch.row("SELECT count(*) FROM attempts")[0]) requests cut"
        )

        try truth.expectIntegrity()
        try truth.expectCountsAddUp()
        try truth.expectMappingsMatchJournal(answersMayBeLost: true)
        try truth.expectEveryRequestIsAnAttempt()
        try truth.expectRepetitionsOnlyAfterUnknown()
        let unfinished = try koobatch.shell.rows(
            """
            SELECT s.id, s.state, s.state_reason, s.total, s.succeeded, s.failed, s.unknown
              FROM job_status AS s
              JOIN command_jobs AS j ON j.id = s.id
             WHERE j.on_unknown = 'retry'
               AND s.state <> 'succeeded'
            """
        )
        #expect(unfinished.isEmpty, "\(unfinished)")
        // At most once, whatever happened.
        let held = Set(
            try koobatch.shell.rows(
                """
                SELECT i.instance_id
                  FROM instance_status AS i
                  JOIN command_jobs AS j ON j.id = i.command_job_id
                 WHERE j.on_unknown = 'hold'
                """
            ).map { $0[0] }
        )
        let executions = try koobatch.simulator.journal().filter(\.executed).flatMap(\.instance_ids)
            .filter(held.contains)
        #expect(Set(executions).count == executions.count)
    }

    @Test(
        "SIGTERM with requests in flight ends with status 0, and all that was executed is recorded",
        arguments: [SIGTERM, SIGINT]
    )
    func termination(signal: Int32) throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":0.2}]}"#)
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 1_000)
        try koobatch.wait(
            for: "SELECT count(*) > 0 AND (SELECT in_flight > 0 FROM daemon) FROM chunks WHERE task_id IS NOT NULL"
        )
        daemon.signal(signal)
        #expect(daemon.wait() == 0)
        let truth = Truth(koobatch: koobatch)
        try truth.expectMappingsMatchJournal()
        try truth.expectEveryRequestIsAnAttempt()
        #expect(try koobatch.shell.run("SELECT count(*) FROM chunks WHERE state = 'submitting'") == "0")
        #expect(try koobatch.shell.run("SELECT count(*) FROM attempts WHERE outcome <> 'accepted'") == "0")
        #expect(try koobatch.shell.run("SELECT running, stopped_at IS NOT NULL FROM daemon") == "0|1")

        try koobatch.simulator.faults("{}")
        try koobatch.start()
        try koobatch.waitUntilFinished()
        let executed = try koobatch.simulator.journal().filter(\.executed).flatMap(\.instance_ids)
        #expect(executed.count == 1_000)
        #expect(Set(executed).count == 1_000)
        try truth.expectCountsAddUp()
    }

    @Test("requests that outlast shutdown.grace are recorded as unknown")
    func grace() throws {
        let koobatch = try Koobatch(settings: "shutdown: {grace: 0.3}\n\(Self.settings)")
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"hang","acted":true}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 32, columns: [("on_unknown", "'hold'")])
        try koobatch.wait(for: "SELECT in_flight = 1 FROM daemon")
        #expect(try koobatch.stop() == 0)
        #expect(try koobatch.shell.run("SELECT state, unknown FROM chunks") == "unknown|32")
        #expect(try koobatch.shell.run("SELECT DISTINCT outcome FROM attempts") == "unknown")
    }

    @Test("a second daemon exits at once and says who holds the database")
    func secondDaemon() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        let first = try koobatch.start()
        let second = try koobatch.program(["run"])
        #expect(second.wait() == 1)
        #expect(try second.errors.contains("another koobatch daemon (pid \(first.identifier)"))
        #expect(first.isRunning)
    }
}
