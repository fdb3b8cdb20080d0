import AsyncHTTPClient
import Foundation
import KoobatchCore
import NIOCore
import NIOHTTP1

/// A whole answer of the API, as it came.
struct Answer: Sendable {
    let status: Int
    /// Every `Retry-After`, as it came.
    let retryAfter: [String]
    let location: String?
    /// The clock of the other side, which it gives in whole seconds.
    let date: Timestamp?
    /// The content coding that could not be undone, if there is one.
    let coding: String?
    let body: ByteBuffer

    /// Reads an answer to its end.
    init(_ response: HTTPClientResponse, longest: Int) async throws {
        status = Int(response.status.code)
        retryAfter = response.headers["Retry-After"]
        location = response.headers.first(name: "Location")
        date = response.headers.first(name: "Date").flatMap(RetryAfter.date)
        coding = ContentCoding.unsupported(response.headers)
        body = try await response.body.collect(upTo: longest)
    }
}

/// The content codings of answers (RFC 9110, section 8.4).
///
/// Requests ask for `identity`; gzip and deflate, which proxies put in all the same, are undone by the HTTP client.
enum ContentCoding {
    private static let field = "Content-Encoding"
    private static let unsupportedField = "X-Koobatch-Content-Coding"

    /// Moves codings that the HTTP client cannot undo to a field of our own, which `unsupported` reads.
    static func setAside(_ headers: inout HTTPHeaders) {
        headers.remove(name: unsupportedField)
        let codings = headers[canonicalForm: field].filter { !$0.isEmpty }
        switch codings.map({ $0.lowercased() }) {
        case [], ["identity"], ["gzip"], ["deflate"]: return
        case ["x-gzip"]: headers.replaceOrAdd(name: field, value: "gzip")
        default:
            headers.remove(name: field)
            headers.add(name: unsupportedField, value: PlainText.bounded(codings.joined(separator: ", "), to: 64))
        }
    }

    /// The codings of an answer that are still in force; `nil` if its body can be read.
    static func unsupported(_ headers: HTTPHeaders) -> String? {
        headers.first(name: unsupportedField)
    }
}

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

extension Answer {
    /// What the answer holds.
    ///
    /// - Throws: the failure that the answer means: the API's verdict, somebody else's page, an answer that cannot be read, or
    ///   one that contradicts itself.
    func content<Reader: DataReader>(
        _ reader: Reader,
        hiding redactor: Redactor,
        now: Timestamp
    ) throws(ServiceFailure) -> Reader.Content {
        if let coding {
            throw ServiceFailure(
                .unknown,
                httpStatus: status,
                errorCode: ServiceFailure.Code.contentCoding,
                message: "the answer has the content coding \(coding), which was not asked for and cannot be undone;"
                    + " check the proxy or gateway before the API",
                endpointFault: .certain
            )
        }
        var envelope = Envelope(reader)
        var flaw: String? = body.readableBytes == 0 ? "it is empty" : nil
        do {
            try body.withUnsafeReadableBytes { bytes in
                var scanner = JSONScanner(bytes)
                try envelope.read(&scanner, hiding: redactor)
            }
        } catch {
            flaw = flaw ?? "it is not the JSON that was expected"
        }
        let isSuccess = (200..<300).contains(status)
        if flaw == nil, envelope.reader.holdsResult || envelope.code == "0", !(isSuccess && envelope.code == "0") {
            if envelope.code == nil, isSuccess { throw .badAnswer("error_code is missing", status: status) }
            throw contradiction(envelope)
        }
        if isSuccess {
            if let flaw { throw .badAnswer(flaw, status: status) }
            guard let code = envelope.code else { throw .badAnswer("error_code is missing", status: status) }
            if code == "0" {
                guard envelope.hasData else { throw .badAnswer("data is missing", status: status) }
                return try envelope.reader.content()
            }
        }
        let verdict = flaw == nil ? envelope.verdict : nil
        let evidence = AnswerEvidence(
            status: status,
            verdict: verdict,
            retryAfter: RetryAfter.duration(retryAfter, now: date ?? now)
        )
        throw (300..<400).contains(status) ? evidence.failure.with(message: redirectMessage) : evidence.failure
    }

    private func contradiction(_ envelope: Envelope<some DataReader>) -> ServiceFailure {
        ServiceFailure(
            .unknown,
            httpStatus: status,
            errorCode: ServiceFailure.Code.contradiction,
            message: PlainText.bounded(
                "the answer contradicts itself: status \(status), error_code \(envelope.code ?? "missing")"
                    + (envelope.message.map { " (\($0))" } ?? "") + ", and \(envelope.reader.summary)"
            )
        )
    }

    private var redirectMessage: String {
        let target = location.flatMap { URLComponents(string: $0)?.host }.map { PlainText.bounded($0, to: 253) }
        return "the API redirects to \(target ?? "another address"), which is never followed;"
            + " set koophone.endpoint to the address of the API itself"
    }
}

/// What every answer of the API is wrapped in.
private struct Envelope<Reader: DataReader> {
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
                message = try scanner.scalar().map { redactor.shown($0.text) }
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
