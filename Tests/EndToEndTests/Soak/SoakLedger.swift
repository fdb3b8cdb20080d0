/// What a soak knows by itself: the jobs that it inserted and the requests that the simulator acted on.
struct SoakLedger {
    /// A job that is in the database.
    struct Job {
        let id: Int
        let name: String
        let instances: Int
        /// Whether what may have been acted on is never sent again by itself.
        let isOnceOnly: Bool
    }

    /// The last time that an instance was given a command.
    private struct Execution {
        let number: Int
        let request: String
        let mapping: [String]
    }

    /// By the beginning of its instances' names.
    private(set) var jobs: [String: Job] = [:]
    /// How many lines of the journal were read.
    private(set) var read = 0
    /// How often an instance was given a command that it had been given before.
    private(set) var repetitions = 0
    private(set) var checks = 0
    private var executions: [String: [Execution]] = [:]
    /// For an instance that a user had sent again: the lines of the journal until then.
    private var released: [String: Int] = [:]

    mutating func inserted(_ job: Job) {
        jobs[job.name] = job
    }

    /// Forgets a job that was deleted.
    mutating func deleted(_ name: String) {
        guard let job = jobs.removeValue(forKey: name) else { return }
        for number in 0..<job.instances {
            executions["\(name)\(number)"] = nil
            released["\(name)\(number)"] = nil
        }
    }

    /// Notes instances that a user has sent again whatever became of them before.
    mutating func released(_ instances: [String]) {
        for instance in instances { released[instance] = read }
    }

    /// Takes in the next lines of the journal.
    mutating func read(_ entries: [SimulatorProcess.Entry]) {
        for entry in entries {
            read += 1
            guard entry.executed, let first = entry.instance_ids.first, jobs[Self.job(of: first)] != nil else {
                continue
            }
            let ids = Dictionary(entry.jobs.map { ($0[0], $0[1]) }) { first, _ in first }
            for instance in entry.instance_ids {
                if executions[instance] != nil { repetitions += 1 }
                let mapping = [entry.task_id ?? "", instance, ids[instance] ?? ""]
                executions[instance, default: []].append(
                    Execution(number: read, request: entry.request_id, mapping: mapping)
                )
            }
        }
    }

    /// The beginning of an instance's name, which is its job's.
    private static func job(of instance: String) -> String {
        instance.lastIndex(of: "x").map { String(instance[...$0]) } ?? ""
    }

    /// Every rule that is broken.
    ///
    /// - Parameter before: the lines of the journal that were read before the snapshot was made; those after it may be of
    ///   requests that it does not have.
    mutating func complaints(_ snapshot: SoakSnapshot, madeAfter before: Int? = nil) -> [String] {
        checks += 1
        let before = before ?? read
        return accounts(snapshot) + requests(snapshot, before) + mappings(snapshot, before)
    }

    /// Each job is there with each of its instances once, and the counts are those of the instances.
    private func accounts(_ snapshot: SoakSnapshot) -> [String] {
        var complaints: [String] = []
        let found = Set(snapshot.jobs.map(\.name))
        for job in jobs.values where !found.contains(job.name) { complaints.append("job \(job.id) is lost") }
        for job in snapshot.jobs {
            let instances = snapshot.instances[job.id] ?? []
            guard let known = jobs[job.name] else {
                complaints.append("job \(job.id) is nobody's")
                continue
            }
            let expected = Set((0..<known.instances).map { "\(job.name)\($0)" })
            if instances.count != expected.count || Set(instances.map(\.name)) != expected {
                complaints.append("job \(job.id) has \(instances.count) instances of \(expected.count)")
            }
            let counts = Dictionary(instances.map { ($0.state, 1) }, uniquingKeysWith: +)
            if counts != job.counts || job.total != known.instances {
                complaints.append("job \(job.id) counts \(job.counts) of \(job.total), but has \(counts)")
            }
        }
        return complaints
    }

    /// Every request is an attempt, none that was acted on is told to have had no effect, and nothing is repeated unseen.
    private func requests(_ snapshot: SoakSnapshot, _ before: Int) -> [String] {
        var complaints: [String] = []
        for (instance, list) in executions {
            let job = jobs[Self.job(of: instance)]
            let list = list.filter { $0.number <= before }
            for (index, execution) in list.enumerated() {
                let outcome = snapshot.outcomes[execution.request]
                let told = "\(execution.request), whose outcome is \(outcome ?? "nowhere")"
                if !["accepted", "unknown", ""].contains(outcome) { complaints.append("\(instance) ran by \(told)") }
                if index + 1 == list.count || execution.number <= released[instance, default: 0] { continue }
                if outcome != "unknown" || job?.isOnceOnly == true {
                    complaints.append("\(instance) ran again after \(told)")
                }
            }
        }
        return complaints
    }

    /// What was accepted is mapped as it was answered, and what is told to have not been sent was not.
    private func mappings(_ snapshot: SoakSnapshot, _ before: Int) -> [String] {
        var complaints: [String] = []
        var unexplained = snapshot.mappings
        for (instance, list) in executions {
            for execution in list {
                unexplained.remove(execution.mapping)
                guard snapshot.outcomes[execution.request] == "accepted",
                    execution.number > released[instance, default: 0], execution.number <= before
                else { continue }
                if !snapshot.mappings.contains(execution.mapping) {
                    complaints.append("the mapping \(execution.mapping) of \(execution.request) is lost")
                }
            }
        }
        complaints += unexplained.map { "the mapping \($0) was never made" }
        for (name, state) in snapshot.instances.values.joined() {
            let last = executions[name]?.last
            if state == "succeeded", last == nil { complaints.append("\(name) succeeded and never ran") }
            guard ["pending", "cancelled", "rejected"].contains(state), let last,
                last.number > released[name, default: 0], last.number <= before,
                snapshot.outcomes[last.request] == "accepted"
            else { continue }
            complaints.append("\(name) is \(state) and was accepted by \(last.request)")
        }
        return complaints
    }
}
