/// What the server knows: which requests it read, what it may have done about each, and what it answered.
struct ExchangeTruth {
    /// A submission that was read to its end, so that it may have been acted on.
    struct Submission {
        let requestID: String
        let instances: [String]
        let kinds: [String]
        let allowsRepetition: Bool
        let mappings: Set<AnswerScript.Mapping>
        let excerpt: String

        /// For a report.
        var description: String {
            "request \(requestID) for \(instances.count) instances from \(instances.first ?? ""),"
                + " answered with \(kinds.joined(separator: ", ")):\n\(excerpt)"
        }
    }

    /// In the order in which they were read.
    private(set) var submissions: [Submission] = []
    /// The jobs that were named under each task.
    private(set) var jobs: [String: [String]] = [:]
    /// How often each task was asked for.
    private(set) var queries: [String: Int] = [:]
    /// Exchanges by kind of mutation; those with several count for each.
    private(set) var counts: [String: Int] = [:]
    private(set) var exchanges = 0
    /// Rules that the requests themselves break.
    private(set) var complaints: [String] = []

    mutating func note(_ script: AnswerScript, for requestID: String, instances: [String]) {
        submissions.append(
            Submission(
                requestID: requestID,
                instances: instances,
                kinds: script.kinds,
                allowsRepetition: script.allowsRepetition,
                mappings: Set(script.mappings),
                excerpt: script.excerpt
            )
        )
        for mapping in script.mappings { jobs[mapping.task, default: []].append(mapping.job) }
    }

    mutating func count(_ kinds: [String]) {
        exchanges += 1
        for kind in kinds.isEmpty ? ["valid"] : kinds { counts[kind, default: 0] += 1 }
    }

    mutating func noteQuery(of task: String) {
        queries[task, default: 0] += 1
    }

    mutating func complain(_ complaint: String) {
        complaints.append(complaint)
    }
}
