import KoobatchCore

/// Reads `data` of the answer to a submission: `{"task_id":…,"cmd_jobs":[{"instance_id":…,"job_id":…},…]}`.
struct SubmissionReader: DataReader {
    /// The longest `task_id` that is documented, and the longest `job_id` that is taken, in characters.
    private static let longestTaskID = 32
    private static let longestJobID = 64

    private let asked: InstanceIDs
    private let redactor: Redactor
    private var taskID: String?
    private var hasMappings = false
    /// For each instance where its job id is in `names`; empty where there is none.
    private var jobIDs: [Range<Int>]
    private var names: [UInt8] = []
    private var isAmbiguous: [Bool]
    private var positions: [String: Int]?
    /// The instance whose mapping is expected next, and where its id begins in the list: the API answers in the order of the
    /// request.
    private var expected = 0
    private var expectedOffset = 2
    private var elements = 0
    /// The jobs of instances that were not asked for.
    private var foreign: [Range<Int>] = []

    /// A reader of the answer to a request for these instances.
    init(asked: InstanceIDs, hiding redactor: Redactor) {
        self.asked = asked
        self.redactor = redactor
        jobIDs = Array(repeating: 0..<0, count: asked.count)
        isAmbiguous = Array(repeating: false, count: asked.count)
        names.reserveCapacity(asked.count * 32)
    }

    var holdsResult: Bool { taskID?.isEmpty == false || elements > 0 }

    var summary: String {
        "the task_id \(taskID.map { redactor.shown($0, to: 64) } ?? "is missing")"
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
        guard let instance else { return }
        let position = position(of: instance)
        guard let jobID = job.flatMap({ take($0) }) else {
            // Beside another mapping of the instance it says that one of the two is wrong.
            if let position { isAmbiguous[position] = true }
            return
        }
        guard let position else {
            foreign.append(jobID)
            return
        }
        let known = jobIDs[position]
        if !known.isEmpty, !names[known].elementsEqual(names[jobID]) { isAmbiguous[position] = true }
        jobIDs[position] = jobID
    }

    /// Keeps a job id that can be taken as it is: 1 to 64 visible ASCII characters, and no secret.
    private mutating func take(_ job: JSONScanner.RawString) -> Range<Int>? {
        let start = names.count
        if job.hasEscapes {
            let text = job.text
            guard PlainText.isIdentifier(text, longest: Self.longestJobID), !redactor.isIn(text) else { return nil }
            names += text.utf8
        } else {
            guard PlainText.isIdentifier(job.bytes, longest: Self.longestJobID), !redactor.isIn(job.bytes) else {
                return nil
            }
            names += job.bytes
        }
        return start..<names.count
    }

    private mutating func position(of instance: JSONScanner.RawString) -> Int? {
        if isExpected(instance) {
            defer {
                expected += 1
                expectedOffset += instance.bytes.count + 3
            }
            return expected
        }
        if positions == nil {
            positions = Dictionary(zip(asked.list, 0..<asked.count), uniquingKeysWith: { first, _ in first })
        }
        return positions?[instance.text]
    }

    /// Whether it is the id that stands next in the list, up to its closing quote.
    private func isExpected(_ instance: JSONScanner.RawString) -> Bool {
        guard expected < asked.count, !instance.hasEscapes else { return false }
        let end = expectedOffset + instance.bytes.count
        var list = asked.json
        return list.withUTF8 { list in
            guard end < list.count, list[end] == UInt8(ascii: "\"") else { return false }
            let next = UnsafeRawBufferPointer(list)[expectedOffset..<end]
            return UnsafeRawBufferPointer(rebasing: next).isEqual(to: instance.bytes)
        }
    }

    /// The acceptance, and how many mappings it holds that were not asked for.
    ///
    /// An instance that is mapped to two jobs counts as missing, because which of them is its own cannot be known, and so do
    /// two instances that are mapped to one. An answer that names none of the instances is that of another request; so is, as
    /// far as can be told, one that names others beside them and contradicts itself.
    func content() throws(ServiceFailure) -> (accepted: SubmitResponse, extras: Int) {
        guard let taskID else { throw .badAnswer("data.task_id is missing", status: 200) }
        guard PlainText.isIdentifier(taskID, longest: Self.longestTaskID), !redactor.isIn(taskID) else {
            let shown = redactor.shown(taskID, to: 64)
            throw .badAnswer(
                "data.task_id \"\(shown)\" is not 1 to \(Self.longestTaskID) visible ASCII characters",
                status: 200
            )
        }
        guard hasMappings else { throw .badAnswer("data.cmd_jobs is missing", status: 200) }
        let usable = usableJobIDs
        let named = jobIDs.count { !$0.isEmpty }
        let usableCount = usable.count { !$0.isEmpty }
        guard usableCount > 0 else {
            throw Self.mismatch(
                "the task_id \(taskID) names none of the \(asked.count) instances of the request usably"
            )
        }
        if !foreign.isEmpty, usableCount < named {
            throw Self.mismatch(
                "the task_id \(taskID) names \(foreign.count) other instances, and some instances or jobs twice"
            )
        }
        return (answer(taskID, usable), foreign.count)
    }

    private func answer(_ taskID: String, _ usable: [Range<Int>]) -> SubmitResponse {
        var text: [UInt8] = [UInt8(ascii: "[")]
        text.reserveCapacity(names.count + 4 * usable.count + 1)
        var missing: [Int] = []
        for (position, range) in usable.enumerated() {
            if position > 0 { text.append(UInt8(ascii: ",")) }
            if range.isEmpty {
                text += "null".utf8
                missing.append(position)
            } else {
                text.appendJSON(names[range])
            }
        }
        text.append(UInt8(ascii: "]"))
        return SubmitResponse(taskID: taskID, jobIDs: String(decoding: text, as: UTF8.self), missing: missing)
    }

    /// The job ids without those of an instance that has two, and without those that two instances have.
    private var usableJobIDs: [Range<Int>] {
        var usable = jobIDs
        for (position, isAmbiguous) in isAmbiguous.enumerated() where isAmbiguous { usable[position] = 0..<0 }
        let named = (usable + foreign).filter { !$0.isEmpty }
        let marks = names.withUnsafeBytes { names in
            named.map { UnsafeRawBufferPointer(rebasing: names[$0]).mark }
        }
        guard marks.hasEqualMarks else { return usable }
        let uses = Dictionary(named.map { (names[$0], 1) }, uniquingKeysWith: +)
        return usable.map { (uses[names[$0]] ?? 0) > 1 ? 0..<0 : $0 }
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
