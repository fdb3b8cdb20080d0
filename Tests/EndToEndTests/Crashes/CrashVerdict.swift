import Foundation
import TestSupport
import Testing

/// What a crash has cost, by the journal of the simulator.
struct CrashVerdict {
    /// One line for each thing that is lost: a request without its intent, an answer that was told, an instance that nobody
    /// accounts for.
    private(set) var lost: [String] = []
    /// Instances that were given the command again.
    private(set) var repeated = 0
    /// Those of them whose request before had an answer that nobody knows.
    private(set) var repeatedBehindUnknown = 0
    /// What else is wrong.
    private(set) var broken: [String] = []

    var complaints: [String] { lost.map { "lost: \($0)" } + broken }

    /// Looks at what the crash has left, before anything runs on it.
    mutating func look(at scene: CrashScene, after child: ChildProcess) throws {
        guard let left = try scene.copy(), try left.run("PRAGMA user_version") != "0" else { return }
        let flaws = try left.run("PRAGMA integrity_check")
        if flaws != "ok" { broken.append("damaged: \(flaws)") }
        try requireIntents(scene, in: left)
        let told = try child.errors.split(separator: "\n").compactMap { line in
            // The last line may be cut.
            line.hasSuffix("}") ? try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] : nil
        }
        let tasks = Set(try left.rows("SELECT task_id FROM chunks WHERE task_id IS NOT NULL").map { $0[0] })
        let finished = Set(try left.rows("SELECT id FROM command_jobs WHERE finished_at IS NOT NULL").map { $0[0] })
        var kept = 0
        for entry in told {
            switch entry["message"] as? String {
            case "Chunk submitted":
                guard let task = entry["task.id"] as? String, !tasks.contains(task) else { continue }
                lost.append("the answer \(task), which was told")
            case "Job finished":
                guard let job = entry["command_job.id"] as? String, !finished.contains(job) else { continue }
                lost.append("the end of job \(job), which was told")
            case "Answers are kept in a file beside the database until it takes them":
                kept += Int(entry["answer.count"] as? String ?? "") ?? 0
            default: break
            }
        }
        if try scene.koobatch.spooledLines(mayBeTorn: true).count < kept {
            lost.append("kept answers, which were told: \(kept)")
        }
    }

    /// Every request that reached the simulator has its row.
    private mutating func requireIntents(_ scene: CrashScene, in shell: SQLiteShell) throws {
        let attempts = Set(try shell.rows("SELECT request_id FROM attempts").map { $0[0] })
        for entry in try scene.koobatch.simulator.journal() where !attempts.contains(entry.request_id) {
            if entry.instance_ids.first?.first == "d", !scene.deletable.isEmpty { continue }
            lost.append("the intent of \(entry.request_id) for \(entry.instance_ids[0]) and others")
        }
    }

    /// Looks at what has come of everything once nothing moves any more.
    mutating func conclude(_ scenario: CrashScenario, _ scene: CrashScene, jobs: [String: String]) throws {
        let shell = scene.koobatch.shell
        let totals = Dictionary(
            uniqueKeysWithValues: try shell.rows("SELECT id, total FROM job_status").map { ($0[0], $0[1]) }
        )
        for (job, total) in jobs where totals[job] != total && !(totals[job] == nil && scene.deletable.contains(job)) {
            lost.append("job \(job): \(totals[job] ?? "none") of \(total) instances")
        }
        try requireIntents(scene, in: shell)
        let outcomes = try shell.outcomes()
        let journal = try scene.koobatch.simulator.journal()
        try checkAcceptances(journal, outcomes, shell)
        try checkInstances(scenario, scene, executed: Set(journal.filter(\.executed).flatMap(\.instance_ids)))
        countRepetitions(journal.dropFirst(scene.submissionsBefore), outcomes, scene.onUnknown)
        if scenario.isAnswered, outcomes.values.contains(where: { $0 != "accepted" }) {
            lost.append("an answer that was on the disk: \(outcomes)")
        }
    }

    /// What was carried out is known by its mapping, or known to be unknown.
    private mutating func checkAcceptances(
        _ journal: [SimulatorProcess.Entry],
        _ outcomes: [String: String],
        _ shell: SQLiteShell
    ) throws {
        let stored = try shell.mappings()
        var made: Set<[String]> = []
        for entry in journal where entry.executed {
            made.formUnion(entry.mappings)
            switch outcomes[entry.request_id] {
            case "accepted":
                let missing = entry.mappings.filter { !stored.contains($0) }
                if !missing.isEmpty { lost.append("mappings of \(entry.request_id): \(missing)") }
            case "unknown", nil: break
            case let outcome?: broken.append("\(entry.request_id) was carried out and is \(outcome)")
            }
        }
        let invented = stored.subtracting(made)
        if !invented.isEmpty { broken.append("mappings that were never made: \(invented)") }
    }

    private mutating func checkInstances(
        _ scenario: CrashScenario,
        _ scene: CrashScene,
        executed: Set<String>
    ) throws {
        let rows = try scene.koobatch.shell.rows("SELECT instance_id, state FROM instance_status")
        for row in rows {
            let (instance, state) = (row[0], row[1])
            var ends = scenario.ends[instance.first ?? " "] ?? []
            ends.insert("succeeded")
            if scene.onUnknown != "retry" { ends.insert("unknown") }
            if !ends.contains(state) { lost.append("\(instance) is \(state)") }
            if state == "succeeded", !executed.contains(instance) {
                broken.append("\(instance) succeeded and was never sent")
            }
        }
    }

    private mutating func countRepetitions(
        _ journal: ArraySlice<SimulatorProcess.Entry>,
        _ outcomes: [String: String],
        _ onUnknown: String
    ) {
        for (instance, earlier) in Truth.repetitions(in: journal) {
            repeated += 1
            if outcomes[earlier] == "unknown" { repeatedBehindUnknown += 1 }
            if onUnknown != "retry" || outcomes[earlier] != "unknown" {
                broken.append("\(instance) was given the command again after \(outcomes[earlier] ?? "nothing")")
            }
        }
    }

    /// Adds what somebody else found.
    mutating func add(_ complaint: String) {
        broken.append(complaint)
    }
}
