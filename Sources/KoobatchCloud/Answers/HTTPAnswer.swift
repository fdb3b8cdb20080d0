import AsyncHTTPClient
import Foundation
import KoobatchCore
import NIOCore
import NIOHTTP1

/// A whole answer of the API, as it came.
struct HTTPAnswer: Sendable {
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

extension HTTPAnswer {
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
        let isSuccess = AnswerEvidence.mayAccept(status: status)
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
        throw AnswerEvidence.isRedirect(status: status)
            ? evidence.failure.with(message: redirectMessage) : evidence.failure
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
