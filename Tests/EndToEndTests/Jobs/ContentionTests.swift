import Foundation
import Synchronization
import TestSupport
import Testing

/// Several people at once, and the daemon.
@Suite("Contention", .programs)
struct ContentionTests {
    private static let statements = [
        "UPDATE command_jobs SET state = 'paused' WHERE id = #",
        "UPDATE command_jobs SET state = 'running' WHERE id = #",
        "UPDATE command_jobs SET state = 'running' WHERE state = 'paused'",
        "UPDATE command_jobs SET state = 'queued' WHERE id = #",
        "UPDATE command_jobs SET state = 'cancelled' WHERE id = # AND id % 3 = 0",
        "UPDATE command_jobs SET priority = # % 3, max_concurrency = 1 + # % 4 WHERE id = #",
        "UPDATE command_jobs SET max_errors = '#%' WHERE id = #",
        "UPDATE command_jobs SET max_errors = NULL, max_concurrency = NULL",
        "UPDATE command_jobs SET run_at = datetime('now', '-1 minute') WHERE id = #",
        "UPDATE command_jobs SET expires_at = datetime('now', '+1 hour') WHERE id = #",
        "UPDATE chunks SET state = 'pending' WHERE id = (SELECT max(id) FROM chunks WHERE state = 'unknown')",
        "UPDATE chunks SET state = 'failed' WHERE id = (SELECT min(id) FROM chunks WHERE state = 'unknown')",
        "UPDATE chunks SET state = 'cancelled' WHERE id = #",
        "DELETE FROM command_jobs WHERE id = # AND id % 4 = 0",
        "UPDATE command_jobs SET command = 'rm' WHERE id = #",
        "BEGIN IMMEDIATE; UPDATE command_jobs SET state = 'paused' WHERE id = #; ROLLBACK",
    ]

    @Test("people who steer the same jobs at the same time as the daemon works leave one true story")
    func stress() throws {
        let koobatch = try Koobatch(
            settings: """
                submit: {max_in_flight: 8}
                retry: {base_delay: 0.01, max_delay: 0.05}
                poll: {initial_delay: 0.01, max_delay: 0.05}
                """
        )
        print("seed \(Koobatch.seed)")
        try koobatch.simulator.faults(
            """
            {"rules": [{"on":"submit","kind":"drop_after","probability":0.05},
                       {"on":"submit","kind":"status","probability":0.05},
                       {"on":"submit","kind":"delay","seconds":0.01}],
             "instances": {"p2x7": {"fail": {"error_code": "CPS0005"}}, "p5x9": {"fail": {"error_code": "CPS0005"}},
                           "p3x30": {"refuse": {"status": 200, "error_code": "KOOPHONE.API.2004"}}}}
            """
        )
        try koobatch.start()
        for job in 0..<12 {
            _ = try koobatch.insert(
                instances: 200,
                prefix: "p\(job)x",
                columns: [("on_unknown", job % 2 == 0 ? "'hold'" : "'retry'"), ("canary", job % 3 == 0 ? "5" : "NULL")]
            )
        }
        let refusals = Mutex<[String]>([])
        let shell = koobatch.shell
        DispatchQueue.concurrentPerform(iterations: 4) { person in
            var random = SeededGenerator(seed: Koobatch.seed &+ UInt64(person))
            for _ in 0..<60 {
                let template = Self.statements[Int.random(in: Self.statements.indices, using: &random)]
                let number = Int.random(in: 1...12, using: &random)
                do {
                    try shell.run(template.replacing("#", with: "\(number)") + ";")
                } catch {
                    refusals.withLock { $0.append("\(error)") }
                }
            }
        }
        for refusal in refusals.withLock({ $0 }) {
            #expect(refusal.contains(#/Runtime error near line 1: [a-z_]+: .*\(19\)/#), "\(refusal)")
        }
        try koobatch.simulator.faults("{}")
        try koobatch.shell.run(
            """
            UPDATE command_jobs SET max_errors = NULL, max_concurrency = NULL;
            UPDATE command_jobs SET state = 'running' WHERE state = 'paused';
            """
        )
        try koobatch.wait(
            for: """
                SELECT count(*) = 0
                  FROM job_progress
                 WHERE job_state IN ('queued', 'running')
                   AND (waiting_chunks + in_flight_chunks > 0 OR planned < plan_limit OR replan_upto IS NOT NULL)
                """
        )
        try koobatch.shell.run("UPDATE chunks SET state = 'failed' WHERE state = 'unknown';")
        try koobatch.shell.run("UPDATE command_jobs SET state = 'cancelled' WHERE state IN ('running', 'paused');")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.stop() == 0)

        let truth = Truth(koobatch: koobatch)
        try truth.expectIntegrity()
        try truth.expectCountsAddUp()
        let made = Set(try koobatch.simulator.journal().filter(\.executed).flatMap(\.mappings))
        let stored = try koobatch.shell.mappings()
        #expect(!stored.isEmpty)
        #expect(stored.subtracting(made).isEmpty, "mappings that the simulator never made")
        // What has ended is not in flight, and nothing is left of what was deleted.
        #expect(
            try koobatch.shell.rows(
                """
                SELECT 'attempt', id FROM attempts WHERE outcome IS NULL
                UNION ALL SELECT 'chunk', id FROM chunks WHERE state IN ('pending', 'submitting', 'submitted', 'unknown')
                UNION ALL SELECT 'chunk of nothing', id FROM chunks WHERE command_job_id NOT IN (SELECT id FROM command_jobs)
                UNION ALL SELECT 'instances of nothing', chunk_id FROM chunk_instances WHERE chunk_id NOT IN (SELECT id FROM chunks)
                UNION ALL SELECT 'why', command_job_id FROM why
                """
            ).isEmpty
        )
    }
}
