import Foundation
import TestSupport
import Testing

/// What comes after the answers.
extension CrashScenario {
    /// A rule of a user that keeps the second acceptance of a job out of the database.
    private static let rule = "CREATE UNIQUE INDEX mine ON chunks (command_job_id) WHERE task_id IS NOT NULL;"

    static let upkeep = [
        CrashScenario(
            name: "rerun",
            prepare: { scene in
                try scene.koobatch.simulator.faults(
                    #"{"instances": {"f*": {"fail": {"error_code": "CPS0005"}}}}"#
                )
                let names = (0..<8).map { "\"f\($0)\"" } + (0..<8).map { "\"i\($0)\"" }
                try scene.koobatch.shell.run(
                    """
                    INSERT INTO command_jobs (command, instance_ids, on_unknown)
                    VALUES ('ls -l /system', '[\(names.joined(separator: ","))]', '\(scene.onUnknown)')
                    """
                )
                try scene.koobatch.start()
                try scene.koobatch.waitUntilFinished()
                try #require(try scene.koobatch.stop() == 0)
                try scene.koobatch.shell.run("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
                scene.submissionsBefore = try scene.koobatch.simulator.journal().count
            }
        ),
        CrashScenario(
            name: "retention",
            settings: makeSettings(chunkSize: 2, more: "retention: {finished_jobs: 1h}"),
            prepare: { scene in
                try scene.insert(160, prefix: "d")
                try scene.koobatch.start()
                try scene.koobatch.waitUntilFinished()
                try #require(try scene.koobatch.stop() == 0)
                try scene.koobatch.shell.run(
                    """
                    .dbconfig enable_trigger off
                    UPDATE command_jobs SET finished_at = '2026-01-01T00:00:00.000Z'
                    """
                )
                scene.deletable = ["1"]
                try scene.insert(8)
            },
            meanwhile: { scene, daemon in
                try daemon.follow { $0.contains("Job deleted") && Self.isFinished(2, $0) }
                daemon.signal(SIGTERM)
            }
        ),
        CrashScenario(
            name: "checkpoint",
            settings: makeSettings(chunkSize: 2),
            prepare: { try $0.insert(160) }
        ),
        CrashScenario(
            name: "answers to the spool",
            prepare: { scene in
                try scene.koobatch.shell.run(rule)
                try scene.insert(24)
            },
            meanwhile: { scene, daemon in
                try daemon.follow { $0.contains("Answers are kept in a file") }
                daemon.signal(SIGTERM)
            },
            afterwards: { try $0.koobatch.shell.run("DROP INDEX IF EXISTS mine;") }
        ),
        CrashScenario(
            name: "answers from the spool",
            prepare: { scene in
                try scene.koobatch.shell.run(rule)
                try scene.insert(16)
                try scene.koobatch.start()
                try scene.koobatch.waitForSpool(lines: 1)
                scene.koobatch.crash()
                try scene.koobatch.shell.run("DROP INDEX mine;")
            },
            isAnswered: true
        ),
    ]

    static let files = [
        CrashScenario(
            name: "backup",
            arguments: { ["backup", $0.koobatch.folder.appending(path: "copy.db").path, "--force"] },
            prepare: { scene in
                try scene.insert(40)
                try scene.koobatch.sh("echo no copy >copy.db")
            },
            meanwhile: { _, _ in },
            afterwards: { scene in
                // Whole or not there at all, and it can be made anew.
                try scene.koobatch.sh(
                    "grep -qx 'no copy' copy.db || sqlite3 copy.db 'PRAGMA integrity_check' | grep -qx ok"
                )
                let again = try scene.koobatch.run(
                    ["backup", scene.koobatch.folder.appending(path: "copy.db").path, "--force"]
                )
                #expect(again.status == 0, "\(again.errors)")
                try scene.koobatch.sh("sqlite3 copy.db 'SELECT total FROM job_status' | grep -qx 40")
            }
        ),
        CrashScenario(
            name: "migrate",
            arguments: { _ in ["migrate"] },
            prepare: { try $0.koobatch.sh("rm -f koobatch.db*") },
            meanwhile: { _, _ in },
            afterwards: { scene in
                let again = try scene.koobatch.run(["migrate"])
                #expect(again.status == 0, "\(again.errors)")
                try scene.insert(8)
            }
        ),
        CrashScenario(
            name: "migrate a text copy",
            arguments: { _ in ["migrate"] },
            prepare: { scene in
                try scene.insert(8)
                try scene.koobatch.start()
                try scene.koobatch.waitUntilFinished()
                try #require(try scene.koobatch.stop() == 0)
                try scene.insert(8, prefix: "n")
                try scene.koobatch.sh(
                    "sqlite3 koobatch.db .dump >copy.sql; rm koobatch.db*; sqlite3 koobatch.db <copy.sql"
                )
            },
            meanwhile: { _, _ in },
            afterwards: { scene in
                let again = try scene.koobatch.run(["migrate"])
                #expect(again.status == 0, "\(again.errors)")
            },
            isCopy: true
        ),
    ]
}
