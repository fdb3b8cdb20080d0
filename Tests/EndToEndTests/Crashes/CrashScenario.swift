import Foundation
import TestSupport
import Testing

/// Something that a program of koobatch is in the midst of when it is stopped.
struct CrashScenario: Sendable, CustomTestStringConvertible {
    /// The configuration of every scenario that needs no other.
    static let usualSettings = makeSettings()

    static func makeSettings(chunkSize: Int = 8, more: String = "") -> String {
        """
        submit: {max_in_flight: 4, timeout: 10, chunk_size: \(chunkSize)}
        retry: {base_delay: 0.01, max_delay: 0.05}
        poll: {initial_delay: 0.02, max_delay: 0.1}
        log: {format: json, level: debug}
        \(more)
        """
    }

    let name: String
    var settings = CrashScenario.usualSettings
    /// The fault plan of the simulator, from the start of the program on.
    var faults = "{}"
    /// What the program is to do.
    var arguments: @Sendable (CrashScene) -> [String] = { _ in ["run"] }
    /// What is there before it starts.
    var prepare: @Sendable (CrashScene) throws -> Void
    /// What happens until it ends.
    var meanwhile: @Sendable (CrashScene, ChildProcess) throws -> Void = { try $0.end($1, after: 1) }
    /// What a user does after it was stopped and before the daemon starts.
    var afterwards: @Sendable (CrashScene) throws -> Void = { _ in }
    /// Whether what is unfinished comes up paused.
    var isCopy = false
    /// Whether every answer is on the disk before it starts.
    var isAnswered = false
    /// How an instance may end, other than `succeeded` and, where nobody knows, `unknown`: by the first letter of its id.
    var ends: [Character: Set<String>] = [:]

    var testDescription: String { name }

    static let all =
        submissions + [
            CrashScenario(
                name: "polling",
                faults:
                    #"{"duration": 0.15, "instances": {"s*": {"duration": 0.5}, "f*": {"fail": {"error_code": "CPS0005"}}}}"#,
                prepare: { scene in
                    try scene.insert(8)
                    try scene.insert(8, prefix: "s")
                    try scene.insert(8, prefix: "f", columns: [("priority", "-1")])
                },
                meanwhile: { try $0.end($1, after: 2) },
                ends: ["f": ["failed"]]
            ),
            CrashScenario(
                name: "pause and cancel",
                faults: #"{"rules": [{"kind": "delay", "seconds": 0.05}]}"#,
                prepare: { scene in
                    try scene.insert(40)
                    try scene.insert(40, prefix: "c")
                },
                meanwhile: { scene, daemon in
                    try daemon.follow { $0.contains("Job started") }
                    try scene.run(
                        """
                        UPDATE command_jobs SET state = 'paused' WHERE id = 1 AND state = 'running';
                        UPDATE command_jobs SET state = 'cancelled' WHERE id = 2 AND finished_at IS NULL;
                        """,
                        beside: daemon
                    )
                    try daemon.follow { $0.contains("Job paused") || Self.isFinished(1, $0) }
                    try scene.run(
                        "UPDATE command_jobs SET state = 'running' WHERE id = 1 AND state = 'paused';",
                        beside: daemon
                    )
                    try scene.end(daemon, after: 1)
                },
                // What was in flight of a cancelled job is not sent again.
                ends: ["c": ["cancelled", "unknown"]]
            ),
            CrashScenario(
                name: "shutdown",
                faults: #"{"rules": [{"kind": "delay", "seconds": 0.1}]}"#,
                prepare: { try $0.insert(64) },
                meanwhile: { scene, daemon in
                    try daemon.follow { $0.contains("Job started") }
                    daemon.signal(SIGTERM)
                }
            ),
            CrashScenario(
                name: "recovery",
                prepare: { scene in
                    // The first is accepted, which lets more than one go at a time.
                    try scene.koobatch.simulator.faults(
                        #"{"rules": [{"kind": "hang", "acted": true, "skip": 1}]}"#
                    )
                    try scene.insert(24)
                    try scene.koobatch.start()
                    try scene.koobatch.waitForJournal(of: 3)
                    scene.koobatch.crash()
                    try scene.insert(8, prefix: "l")
                },
                meanwhile: { try $0.end($1, after: 2) }
            ),
        ] + upkeep + files

    /// Whether the log says that a job has finished.
    static func isFinished(_ job: Int, _ log: String) -> Bool {
        log.split(separator: "\n").contains {
            $0.contains("Job finished") && $0.contains(#""command_job.id":"\#(job)""#)
        }
    }
}

extension CrashScene {
    /// Has the daemon end once a job has finished.
    func end(_ daemon: ChildProcess, after job: Int) throws {
        try daemon.follow { CrashScenario.isFinished(job, $0) }
        daemon.signal(SIGTERM)
    }
}

/// Requests and their answers.
extension CrashScenario {
    private static let submissions = [
        CrashScenario(name: "first submission", prepare: { try $0.insert(40) }),
        CrashScenario(
            name: "throttled and retried",
            faults: #"{"rules": [{"kind": "status", "status": 429, "times": 2}]}"#,
            prepare: { try $0.insert(16) }
        ),
        CrashScenario(
            name: "lost answer",
            faults: #"{"rules": [{"kind": "drop_after", "times": 1}]}"#,
            prepare: { scene in
                try scene.insert(8)
                try scene.insert(8, prefix: "l", columns: [("priority", "-1")])
            },
            meanwhile: { try $0.end($1, after: 2) }
        ),
        CrashScenario(
            name: "split",
            faults: #"""
                {"instances": {"i3": {"refuse": {"status": 200, "error_code": "KOOPHONE.API.2004", "error_msg": "frozen"}}}}
                """#,
            prepare: { try $0.insert(8) },
            ends: ["i": ["rejected"]]
        ),
    ]
}
