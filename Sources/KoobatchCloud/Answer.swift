import AsyncHTTPClient
import FoundationEssentials
import KoobatchCore
import NIOCore
import NIOFoundationEssentialsCompat
import NIOHTTP1

/// An answer of the API, as it came.
struct Answer: Sendable {
    let status: Int
    let retryAfter: String?
    let location: String?
    /// The clock of the other side, which it gives in whole seconds.
    let date: Timestamp?
    /// Empty also where it could not be read to its end and the status says enough.
    let body: ByteBuffer

    /// Reads an answer to its end.
    init(_ response: HTTPClientResponse, longest: Int) async throws {
        status = Int(response.status.code)
        retryAfter = response.headers.first(name: "Retry-After")
        location = response.headers.first(name: "Location")
        date = response.headers.first(name: "Date").flatMap(RetryAfter.date)
        do {
            body = try await response.body.collect(upTo: longest)
        } catch {
            guard !(200..<300).contains(status) else { throw error }
            body = ByteBuffer()
        }
    }

    private var isSuccess: Bool { (200..<300).contains(status) }
}

extension Answer {
    /// What the answer holds.
    ///
    /// - Throws: the failure that the answer means: the API's own, a redirect, or an answer that cannot be read.
    func content<Content: Decodable>(as type: Content.Type, now: Timestamp) throws(ServiceFailure) -> Content {
        if (300..<400).contains(status) { throw redirect }
        let envelope: Envelope<Content>?
        let flaw: String
        do {
            envelope = try decoded(as: Envelope<Content>.self)
            flaw = "error_code is missing"
        } catch {
            envelope = nil
            flaw = body.readableBytes == 0 ? "it is empty" : "it is not the JSON that was expected"
        }
        if isSuccess {
            guard let envelope, let code = envelope.errorCode else { throw bad(flaw) }
            if code == Envelope<Content>.success {
                guard let content = envelope.content else { throw bad("data is missing") }
                return content
            }
        }
        throw AnswerClassification.failure(
            status: status,
            code: envelope?.errorCode,
            message: envelope?.errorMessage,
            retryAfter: retryAfter.flatMap { RetryAfter.duration($0, now: now) }
        )
    }

    /// The failure of an answer that may mean success but cannot be read.
    func bad(_ flaw: String) -> ServiceFailure {
        .badAnswer(flaw, status: status)
    }

    private var redirect: ServiceFailure {
        let target = location.flatMap { URLComponents(string: $0)?.host }.map { PlainText.bounded($0, to: 253) }
        return ServiceFailure(
            .refused,
            httpStatus: status,
            errorCode: ServiceFailure.Code.redirect,
            message: "the API redirects to \(target ?? "another address"), which is never followed;"
                + " set koophone.endpoint to the address of the API itself"
        )
    }

    /// Reads JSON.
    ///
    /// Bytes that are not UTF-8, such as output of a command that was cut within a character, are replaced.
    private func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        guard String(validating: body.readableBytesView, as: UTF8.self) == nil else {
            return try Self.decoder.decode(type, from: body)
        }
        let mended = String(decoding: body.readableBytesView, as: UTF8.self)
        return try Self.decoder.decode(type, from: Data(mended.utf8))
    }

    private static let decoder = JSONDecoder()
}

extension ServiceFailure {
    /// An answer that may mean success but cannot be read: the request may have been acted on.
    static func badAnswer(_ flaw: String, status: Int) -> ServiceFailure {
        ServiceFailure(
            .unknown,
            httpStatus: status,
            errorCode: Code.badAnswer,
            message: "the answer cannot be used: \(flaw)"
        )
    }
}
