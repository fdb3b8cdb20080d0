import KoobatchCore

/// Reads `data` of the answer to a query: `{"jobs":[{"job_id":…,"status":…,"error_code":…,"error_msg":…,"execute_msg":…}]}`.
struct QueryReader: DataReader {
    /// The API says 1,024 bytes.
    private static let longestOutput = 4_096

    private let redactor: Redactor
    private var hasJobs = false
    private var elements = 0
    private var jobs: [TaskReport.Job] = []

    init(hiding redactor: Redactor) {
        self.redactor = redactor
        // Of a chunk of the usual size, so that it does not grow step by step.
        jobs.reserveCapacity(32)
    }

    var holdsResult: Bool { elements > 0 }

    var summary: String { "results of \(elements) jobs" }

    mutating func read(_ scanner: inout JSONScanner) throws {
        try scanner.object { scanner, key in
            guard key.equals("jobs"), try scanner.next() == .array else { return try scanner.skip() }
            guard !hasJobs else { throw JSONScanner.Malformed() }
            hasJobs = true
            try scanner.array { scanner in
                elements += 1
                if try scanner.next() == .object { try readJob(&scanner) } else { try scanner.skip() }
            }
        }
    }

    private mutating func readJob(_ scanner: inout JSONScanner) throws {
        var id: JSONScanner.RawString?
        var status: JSONScanner.RawString?
        var code: JSONScanner.RawString?
        var message: JSONScanner.RawString?
        var output: JSONScanner.RawString?
        var seen: UInt8 = 0
        var isAmbiguous = false
        func isFirst(_ field: UInt8) {
            if seen & field != 0 { isAmbiguous = true }
            seen |= field
        }
        try scanner.object { scanner, key in
            if key.equals("job_id") {
                isFirst(1)
                id = try scanner.scalar()
            } else if key.equals("status") {
                isFirst(2)
                status = try scanner.scalar()
            } else if key.equals("error_code") {
                isFirst(4)
                code = try scanner.written()
            } else if key.equals("error_msg") {
                isFirst(8)
                message = try scanner.written()
            } else if key.equals("execute_msg") {
                isFirst(16)
                output = try scanner.written()
            } else {
                try scanner.skip()
            }
        }
        // Which of two values is meant cannot be known.
        guard !isAmbiguous, let jobID = id?.text, !jobID.isEmpty, let succeeded = Self.hasSucceeded(status) else {
            return
        }
        let result = InstanceResult(
            succeeded: succeeded,
            errorCode: sentence(code, longest: 64),
            errorMessage: sentence(message, longest: PlainText.longestMessage),
            output: output.map { Self.bounded(redactor.hiding($0.text)) }
        )
        jobs.append(TaskReport.Job(id: jobID, result: result))
    }

    /// The jobs that have ended.
    ///
    /// One of which the answer says two things has not, as far as can be told.
    func content() throws(ServiceFailure) -> TaskReport {
        guard hasJobs else { throw .badAnswer("data.jobs is missing", status: 200) }
        let marks = jobs.map { job in
            var id = job.id
            return id.withUTF8 { UnsafeRawBufferPointer($0).mark }
        }
        guard marks.hasEqualMarks else { return TaskReport(jobs: jobs) }
        let said = Dictionary(grouping: jobs, by: \.id).mapValues { Set($0.map(\.result)) }
        return TaskReport(results: said.compactMapValues { $0.count == 1 ? $0.first : nil })
    }

    /// The API writes empty strings where it has nothing to say.
    private func sentence(_ field: JSONScanner.RawString?, longest: Int) -> String? {
        guard let field, !field.bytes.isEmpty else { return nil }
        return redactor.shown(field.text, to: longest)
    }

    private static func bounded(_ output: String) -> String {
        output.utf8.count <= longestOutput ? output : String(output.unicodeScalars.prefix(longestOutput))
    }

    /// Whether a status means success or failure; `nil` for 1, running, and for what is not documented.
    private static func hasSucceeded(_ status: JSONScanner.RawString?) -> Bool? {
        guard let status else { return nil }
        if status.equals("2") { return true }
        return status.equals("-1") ? false : nil
    }
}
