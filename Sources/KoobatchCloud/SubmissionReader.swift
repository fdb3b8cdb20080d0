import KoobatchCore

/// Reads `data` of the answer to a submission: `{"task_id":…,"cmd_jobs":[{"instance_id":…,"job_id":…},…]}`.
struct SubmissionReader: DataReader {
    /// The longest `task_id` that is documented, and the longest `job_id` that is taken, in characters.
    private static let longestTaskID = 32
    private static let longestJobID = 64

    private let asked: [String]
    private let redactor: Redactor
    private var taskID: String?
    private var hasMappings = false
    private var jobIDs: [String?]
    private var isAmbiguous: [Bool]
    private var positions: [String: Int]?
    /// Where the mapping of the next instance is expected: the API answers in the order of the request.
    private var expected = 0
    private var elements = 0
    private var foreign = 0

    /// A reader of the answer to a request for these instances.
    init(asked: [String], hiding redactor: Redactor) {
        self.asked = asked
        self.redactor = redactor
        jobIDs = Array(repeating: nil, count: asked.count)
        isAmbiguous = Array(repeating: false, count: asked.count)
    }

    var holdsResult: Bool { taskID?.isEmpty == false || elements > 0 }

    var summary: String {
        "the task_id \(taskID.map { PlainText.bounded(redactor.hiding($0), to: 64) } ?? "is missing")"
    }

    mutating func read(_ scanner: inout JSONScanner) throws {
        var hasTaskID = false
        try scanner.object { scanner, key in
            if key.equals("task_id") {
                guard !hasTaskID else { throw JSONScanner.Malformed() }
                hasTaskID = true
                taskID = try scanner.scalar()?.text
            } else if key.equals("cmd_jobs"), try scanner.next() == .array {
                guard !hasMappings else { throw JSONScanner.Malformed() }
                hasMappings = true
                try scanner.array { scanner in
                    elements += 1
                    if try scanner.next() == .object { try readMapping(&scanner) } else { try scanner.skip() }
                }
            } else {
                try scanner.skip()
            }
        }
    }

    private mutating func readMapping(_ scanner: inout JSONScanner) throws {
        var instance: JSONScanner.RawString?
        var job: JSONScanner.RawString?
        try scanner.object { scanner, key in
            if key.equals("instance_id") {
                guard instance == nil else { throw JSONScanner.Malformed() }
                instance = try scanner.scalar()
            } else if key.equals("job_id") {
                guard job == nil else { throw JSONScanner.Malformed() }
                job = try scanner.scalar()
            } else {
                try scanner.skip()
            }
        }
        guard let instance, let jobID = job?.text, PlainText.isIdentifier(jobID, longest: Self.longestJobID),
            !redactor.isIn(jobID)
        else { return }
        guard let position = position(of: instance) else {
            foreign += 1
            return
        }
        if let known = jobIDs[position], known != jobID { isAmbiguous[position] = true }
        jobIDs[position] = jobID
        expected = position + 1
    }

    private mutating func position(of instance: JSONScanner.RawString) -> Int? {
        if expected < asked.count, instance.equals(asked[expected]) { return expected }
        if positions == nil {
            positions = Dictionary(zip(asked, asked.indices), uniquingKeysWith: { first, _ in first })
        }
        return positions?[instance.text]
    }

    /// The acceptance, and how many mappings it holds that were not asked for.
    ///
    /// An instance that is mapped to two jobs counts as missing, because which of them is its own cannot be known, and so do
    /// two instances that are mapped to one. An answer that names none of the instances is that of another request; so is, as
    /// far as can be told, one that names others beside them and contradicts itself.
    func content() throws(ServiceFailure) -> (accepted: SubmitAnswer, extras: Int) {
        guard let taskID else { throw .badAnswer("data.task_id is missing", status: 200) }
        guard PlainText.isIdentifier(taskID, longest: Self.longestTaskID), !redactor.isIn(taskID) else {
            let shown = PlainText.bounded(redactor.hiding(taskID), to: 64)
            throw .badAnswer(
                "data.task_id \"\(shown)\" is not 1 to \(Self.longestTaskID) visible ASCII characters",
                status: 200
            )
        }
        guard hasMappings else { throw .badAnswer("data.cmd_jobs is missing", status: 200) }
        let usable = usableJobIDs
        let named = jobIDs.count { $0 != nil }
        let isContradictory = usable.count { $0 != nil } < named
        guard usable.contains(where: { $0 != nil }) else {
            throw Self.mismatch(
                "the task_id \(taskID) names none of the \(asked.count) instances of the request usably"
            )
        }
        if foreign > 0, isContradictory {
            throw Self.mismatch(
                "the task_id \(taskID) names \(foreign) other instances, and some instances or jobs twice"
            )
        }
        var answer: [String: String] = [:]
        var missing: [String] = []
        answer.reserveCapacity(asked.count)
        for (instance, job) in zip(asked, usable) {
            if let job { answer[instance] = job } else { missing.append(instance) }
        }
        return (SubmitAnswer(taskID: taskID, jobIDs: answer, missing: missing), foreign)
    }

    private var usableJobIDs: [String?] {
        var usable = jobIDs
        for (position, isAmbiguous) in isAmbiguous.enumerated() where isAmbiguous { usable[position] = nil }
        var owners: [String: Int] = [:]
        owners.reserveCapacity(usable.count)
        for case (let position, let job?) in usable.enumerated() {
            guard let other = owners.updateValue(position, forKey: job) else { continue }
            usable[position] = nil
            usable[other] = nil
        }
        return usable
    }

    private static func mismatch(_ flaw: String) -> ServiceFailure {
        ServiceFailure(
            .unknown,
            httpStatus: 200,
            errorCode: ServiceFailure.Code.contradiction,
            message: "the answer is not that of this request: \(flaw)"
        )
    }
}
