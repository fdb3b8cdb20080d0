public import KoobatchCore
import NIOHTTP1

extension KooPhoneClient {
    /// `GET /v1/instances/tasks/{task_id}`.
    public func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport {
        let content = try await send(
            .GET,
            "/v1/instances/tasks/\(PathSegment.encoded(taskID))",
            requestID: requestID,
            reading: QueryContent.self
        )
        guard let report = content.report else { throw .badAnswer("data.jobs is missing", status: 200) }
        return report
    }
}

/// `data` of the answer to a query.
struct QueryContent: Decodable, Sendable {
    /// The API says 1,024 bytes.
    private static let longestOutput = 4_096

    private let jobs: [Job?]?

    private struct Job: Decodable {
        let jobID: Scalar?
        let status: Scalar?
        let errorCode: Scalar?
        let errorMessage: Scalar?
        let output: Scalar?

        enum CodingKeys: String, CodingKey {
            case status
            case jobID = "job_id"
            case errorCode = "error_code"
            case errorMessage = "error_msg"
            case output = "execute_msg"
        }
    }

    /// The jobs that have ended; `nil` if the answer does not say.
    var report: TaskReport? {
        guard let jobs else { return nil }
        var results: [String: InstanceResult] = [:]
        for case let job? in jobs {
            guard let jobID = job.jobID?.text, !jobID.isEmpty, let succeeded = Self.hasSucceeded(job.status?.text)
            else { continue }
            results[jobID] = InstanceResult(
                succeeded: succeeded,
                errorCode: Self.filled(job.errorCode).map { PlainText.bounded($0, to: 64) },
                errorMessage: Self.filled(job.errorMessage).map { PlainText.bounded($0) },
                output: job.output?.text.map { String($0.unicodeScalars.prefix(Self.longestOutput)) }
            )
        }
        return TaskReport(results: results)
    }

    /// The API writes empty strings where it has nothing to say.
    private static func filled(_ field: Scalar?) -> String? {
        field?.text.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether a status means success or failure; `nil` for 1, running, and for what is not documented.
    private static func hasSucceeded(_ status: String?) -> Bool? {
        switch status {
        case "2": true
        case "-1": false
        default: nil
        }
    }
}
