import Foundation
import TestSupport

/// What people do to jobs, with the `sqlite3` shell.
extension SoakRun {
    /// A job of any kind.
    func insert() throws {
        let name = "s\(ledger.jobs.count + ledger.read)n\(done["insert", default: 0])x"
        let count = dice.int(1...dice.pick(3, 40, 150))
        let policy = dice.pick("retry", "retry", "hold", "fail")
        var columns = [
            ("label", "'\(name)'"), ("on_unknown", "'\(policy)'"),
            ("max_attempts", dice.pick("1000", "1000", "8", "1")),
        ]
        func sometimes(_ column: String, _ value: String) {
            if dice.percent(15) { columns.append((column, value)) }
        }
        sometimes("priority", "\(dice.int(-3...9))")
        sometimes("max_concurrency", "\(dice.int(1...3))")
        sometimes("max_errors", dice.pick("0", "5", "'10%'"))
        sometimes("canary", "\(dice.int(1...5))")
        sometimes("serialize_instances", "1")
        sometimes("unique_key", "'\(dice.pick("nightly", "hourly", "once"))'")
        sometimes("run_at", "datetime('now', '\(dice.int(0...4)) seconds')")
        sometimes("expires_at", "datetime('now', '\(dice.int(5...30)) seconds')")
        sometimes("result_timeout", dice.pick("0.5", "1", "2"))
        sometimes("state", "'paused'")
        note("insert")
        do {
            let id = try koobatch.insert(instances: count, prefix: name, columns: columns)
            ledger.inserted(.init(id: id, name: name, instances: count, isOnceOnly: policy != "retry"))
        } catch let refusal as SQLiteShell.Refusal {
            note(refusal.message.contains("locked") ? "locked out" : "refused by a rule")
        }
    }

    /// An update of a job, or of a held chunk.
    func steer() throws {
        guard let job = dice.element(of: ledger.jobs.values.map(\.id).sorted()) else { return }
        func update(_ what: String, _ assignments: String) throws {
            note(what)
            _ = try shell("UPDATE command_jobs SET \(assignments) WHERE id = \(job);")
        }
        switch dice.int(1...10) {
        case 1: try update("pause", "state = 'paused'")
        case 2: try update("resume", "state = 'running'")
        case 3: try update("cancel", "state = 'cancelled'")
        case 4: try update("priority", "priority = \(dice.int(-9...9))")
        case 5: try update("settings", "max_concurrency = \(dice.int(1...9)), max_attempts = \(dice.int(1...99))")
        case 6...7: try rerun()
        case 8...9: try settleHeld()
        default: try delete(share: 30)
        }
    }

    /// Runs again what did not succeed of jobs that have finished.
    private func rerun() throws {
        note("rerun")
        try readJournal()
        let candidates =
            "(SELECT id FROM job_status WHERE state IN ('partial', 'failed', 'cancelled') ORDER BY id DESC LIMIT 3)"
        let printed = try shell(
            """
            BEGIN IMMEDIATE;
            SELECT instance_id FROM instance_status
             WHERE state <> 'succeeded'
               AND command_job_id IN (SELECT id FROM command_jobs WHERE finished_at IS NOT NULL AND id IN \(candidates));
            UPDATE command_jobs SET state = 'queued', expires_at = NULL WHERE finished_at IS NOT NULL AND id IN \(candidates);
            COMMIT;
            """
        )
        ledger.released(printed?.split(separator: "\n").map(String.init) ?? [])
    }

    /// Sends a part of the held chunks again and gives the others up.
    func settleHeld() throws {
        try readJournal()
        let parity = dice.int(0...1)
        let printed = try shell(
            """
            BEGIN IMMEDIATE;
            SELECT instance_id
              FROM instance_status
             WHERE chunk_id IN (SELECT id FROM chunks WHERE state = 'unknown' AND id % 2 = \(parity));
            UPDATE chunks SET state = 'pending' WHERE state = 'unknown' AND id % 2 = \(parity);
            UPDATE chunks SET state = 'failed' WHERE state = 'unknown' AND id % 2 <> \(parity);
            COMMIT;
            """
        )
        let names = printed?.split(separator: "\n").map(String.init) ?? []
        if !names.isEmpty { note("held chunks settled") }
        ledger.released(names)
    }

    /// Deletes so many of a hundred finished jobs.
    func delete(share: Int) throws {
        for job in ledger.jobs.values.sorted(by: { $0.id < $1.id }) where dice.percent(share) {
            let statement = "DELETE FROM command_jobs WHERE id = \(job.id) AND finished_at IS NOT NULL RETURNING id;"
            guard try shell(statement) == "\(job.id)" else { continue }
            note("delete")
            ledger.deleted(job.name)
        }
    }

    /// Holds the write lock for a moment, or reads for a while.
    func hold() throws {
        let isReader = dice.percent(50)
        note(isReader ? "long reader" : "write lock held")
        let statements = isReader ? "BEGIN; SELECT 1 FROM error_policies LIMIT 1;" : "BEGIN IMMEDIATE;"
        let lock = try WriteLock(database: koobatch.shell.database, statements: statements)
        for _ in 0..<dice.int(1...5) { changes.wait() }
        try lock.release()
    }

    /// Asks with the subcommands.
    func ask() throws {
        note("commands")
        let command = dice.pick(["status"], ["why"], ["metrics"], ["backup", koobatch.secretFile("copy.db")])
        if command[0] == "backup" { _ = unlink(koobatch.secretFile("copy.db")) }
        let outcome = try koobatch.run(command)
        if outcome.status != 0 { note("\(command[0]) failed: \(outcome.errors)") }
    }
}
