import KoobatchCore
import Testing

@testable import KoobatchCloud

/// What the client makes of the bytes that a server answers with.
enum RawExchange {
    /// The end of a submission that is answered with these bytes.
    static func submitting(
        _ answer: String,
        _ request: SubmitRequest = .sample(),
        token: String = SimulatedAPI.token
    ) async throws -> Result<SubmitResponse, ServiceFailure> {
        try await submitting(Array(answer.utf8), request, token: token)
    }

    static func submitting(
        _ answer: [UInt8],
        _ request: SubmitRequest = .sample(),
        token: String = SimulatedAPI.token
    ) async throws -> Result<SubmitResponse, ServiceFailure> {
        try await exchanging(answer, token: token) { client throws(ServiceFailure) in try await client.submit(request) }
    }

    /// The end of a query that is answered with these bytes.
    static func querying(
        _ answer: [UInt8],
        token: String = SimulatedAPI.token
    ) async throws -> Result<TaskReport, ServiceFailure> {
        try await exchanging(answer, token: token) { client throws(ServiceFailure) in
            try await client.query(taskID: "t", requestID: RequestID(rawValue: "q"))
        }
    }

    private static func exchanging<Value: Sendable>(
        _ answer: [UInt8],
        token: String,
        _ call: (KooPhoneClient) async throws(ServiceFailure) -> Value
    ) async throws -> Result<Value, ServiceFailure> {
        var result: Result<Value, ServiceFailure>?
        let file = try ScratchFile(token)
        try await RawServer.serving(.answerBytesAndClose(answer)) { _, port in
            result = try await withClient(
                of: "http://127.0.0.1:\(port)",
                credentials: .tokenFile(path: file.path)
            ) { client in
                do throws(ServiceFailure) {
                    return .success(try await call(client))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try #require(result)
    }
}
