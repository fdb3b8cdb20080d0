public import KoobatchCore
import NIOHTTP1

extension KooPhoneClient {
    /// `GET /v1/instances/tasks/{task_id}`.
    public func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport {
        try await send(
            .GET,
            "/v1/instances/tasks/\(PathSegment.encoded(taskID))",
            requestID: requestID,
            reader: QueryReader.init(hiding:)
        )
    }
}
