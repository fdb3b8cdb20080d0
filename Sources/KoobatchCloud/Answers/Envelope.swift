import KoobatchCore

/// Reads `data` of an answer.
protocol DataReader {
    associatedtype Content

    /// Reads the value of `data`; called at most once.
    mutating func read(_ scanner: inout JSONScanner) throws
    /// Whether `data` holds what an answer of success holds, whatever else the answer says.
    var holdsResult: Bool { get }
    /// A few words on the result, for an answer that contradicts itself.
    var summary: String { get }
    /// The content of an answer of success.
    func content() throws(ServiceFailure) -> Content
}

/// What every answer of the API is wrapped in.
struct Envelope<Reader: DataReader> {
    var reader: Reader
    private(set) var code: String?
    private(set) var message: String?
    private(set) var hasData = false

    init(_ reader: Reader) {
        self.reader = reader
    }

    var verdict: AnswerEvidence.Verdict? {
        code.map { AnswerEvidence.Verdict(code: $0, message: message) }
    }

    /// Reads the object; a name that counts and stands in it twice makes it unreadable.
    mutating func read(_ scanner: inout JSONScanner, hiding redactor: Redactor) throws {
        var seen: [Bool] = [false, false, false]
        func isFirst(_ field: Int) throws {
            guard !seen[field] else { throw JSONScanner.Malformed() }
            seen[field] = true
        }
        try scanner.object { scanner, key in
            if key.equals("error_code") {
                try isFirst(0)
                let text = try scanner.scalar()?.text
                code = text.flatMap { $0.isEmpty ? nil : redactor.shown($0, to: 64) }
            } else if key.equals("error_msg") {
                try isFirst(1)
                message = try scanner.written().map { redactor.shown($0.text) }
            } else if key.equals("data") {
                try isFirst(2)
                if try scanner.next() == .object {
                    hasData = true
                    try reader.read(&scanner)
                } else {
                    try scanner.skip()
                }
            } else {
                try scanner.skip()
            }
        }
        try scanner.end()
    }
}

extension ServiceFailure {
    /// An answer that may mean success but cannot be used: the request may have been acted on.
    static func badAnswer(_ flaw: String, status: Int) -> ServiceFailure {
        ServiceFailure(
            .unknown,
            httpStatus: status,
            errorCode: Code.badAnswer,
            message: "the answer cannot be used: \(flaw)"
        )
    }
}
